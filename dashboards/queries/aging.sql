-- What is open, by currency and how long it is overdue.
select
    currency,
    bucket,
    count(*) as invoices,
    sum(open_amount) as open_amount,
    coalesce(sum(open_amount) filter (where disputed), 0) as disputed_amount
from marts.receivables
where tenant_id = $tenant
group by currency, bucket
