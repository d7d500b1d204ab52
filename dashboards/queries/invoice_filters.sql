-- What the documents of a tenant can be filtered by.
select
    date_trunc('month', bill_date)::date as month,
    customer_id,
    coalesce(bill_to_name, customer_id) as customer,
    currency,
    kind,
    status
from marts.invoices
where tenant_id = $tenant
group by all
order by all
