-- What a contract earned, by obligation and month.
select
    obligation_id,
    period,
    posting_period,
    method,
    recognised,
    prior_performance,
    cumulative,
    currency
from marts.revenue_by_period
where tenant_id = $tenant and contract_id = $contract
order by posting_period desc, period desc, obligation_id
