-- Documents by month of the bill date, currency and kind.
select
    date_trunc('month', bill_date)::date as month,
    currency,
    kind,
    count(*) as documents,
    count(distinct customer_id) as customers,
    sum(total) as total
from marts.invoices
where tenant_id = $tenant
group by all
order by all
