-- Who owes what in one currency, the largest debt first.
select
    receivables.customer_id,
    coalesce(customers.name, receivables.customer_id) as customer,
    count(*) as invoices,
    sum(receivables.open_amount) as open_amount,
    coalesce(sum(receivables.open_amount) filter (where receivables.bucket = 'not_due'), 0) as not_due,
    coalesce(sum(receivables.open_amount) filter (where receivables.bucket = '1-30'), 0) as days_30,
    coalesce(sum(receivables.open_amount) filter (where receivables.bucket = '31-60'), 0) as days_60,
    coalesce(sum(receivables.open_amount) filter (where receivables.bucket = '61-90'), 0) as days_90,
    coalesce(sum(receivables.open_amount) filter (where receivables.bucket = '90+'), 0) as older
from marts.receivables
left join marts.customers
    on
        receivables.tenant_id = customers.tenant_id
        and receivables.customer_id = customers.customer_id
where receivables.tenant_id = $tenant and receivables.currency = $currency
group by receivables.customer_id, customer
order by open_amount desc, customer
