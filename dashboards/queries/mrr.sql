-- The bridge of monthly recurring revenue, all customers together.
select
    period,
    currency,
    sum(opening) as opening,
    sum(new) as new,
    sum(expansion) as expansion,
    sum(contraction) as contraction,
    sum(churn) as churn,
    sum(reactivation) as reactivation,
    sum(closing) as closing,
    count(*) filter (where closing <> 0) as customers,
    count(*) filter (where churn <> 0) as customers_lost
from marts.mrr_by_month
where tenant_id = $tenant
group by period, currency
order by period, currency
