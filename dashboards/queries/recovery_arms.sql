-- What failed invoices brought, by customer and the arm that a lot put each invoice in; only those whose 90 days are over.
select
    arm,
    customer_id,
    count(distinct invoice_id) as invoices,
    sum(recovered_value) as recovered_value
from marts.recovery_plans
where tenant_id = $tenant and currency = $currency and is_closed
group by arm, customer_id
order by arm, customer_id
