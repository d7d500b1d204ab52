-- How deferred revenue runs off, by month of billing and month of recognition.
select
    coalesce(booked_period, 'Interest') as booked,
    coalesce(future_period, 'Not dated') as recognised_in,
    period,
    currency,
    sum(amount) as amount,
    sum(case when is_current then amount else 0 end) as current_amount,
    count(distinct contract_id) as contracts
from marts.deferred_revenue_waterfall
where tenant_id = $tenant and currency = $currency
group by all
order by booked, recognised_in
