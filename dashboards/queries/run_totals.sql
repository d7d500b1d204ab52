-- What every run issued in each currency.
select
    run_key,
    currency,
    count(*) as documents,
    sum(total) as total
from marts.invoices
where tenant_id = $tenant
group by run_key, currency
order by run_key, currency
