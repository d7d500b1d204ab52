-- What became of the customers of each month.
select
    cohort,
    period,
    months_since,
    customers,
    customers_retained,
    starting_mrr,
    mrr,
    retained_mrr
from marts.retention_by_cohort
where tenant_id = $tenant and currency = $currency
order by cohort, months_since
