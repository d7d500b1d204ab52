-- The customers with the largest totals of one month and currency.
select
    customer_id,
    arg_max(coalesce(bill_to_name, customer_id), bill_date) as customer,
    count(*) as documents,
    sum(total) as total
from marts.invoices
where
    tenant_id = $tenant
    and currency = $currency
    and date_trunc('month', bill_date) = $month
group by customer_id
order by total desc, customer_id
limit 8
