-- Revenue posted in a month by how it is recognised, of which for earlier months, beside the month before and the same month a year before.
select
    revenue.method,
    coalesce(sum(revenue.recognised) filter (where revenue.posting_period = $period), 0) as recognised,
    coalesce(sum(revenue.prior_performance) filter (where revenue.posting_period = $period), 0) as prior_performance,
    coalesce(sum(revenue.recognised) filter (where revenue.posting_period = strftime(cast($period || '-01' as date) - interval 1 month, '%Y-%m')), 0) as month_before,
    coalesce(sum(revenue.recognised) filter (where revenue.posting_period = strftime(cast($period || '-01' as date) - interval 1 year, '%Y-%m')), 0) as year_before,
    count(distinct revenue.contract_id) filter (where revenue.posting_period = $period) as contracts,
    revenue.currency
from marts.revenue_by_period as revenue
where revenue.tenant_id = $tenant and revenue.currency = $currency
group by revenue.method, revenue.currency
having recognised <> 0 or month_before <> 0 or year_before <> 0
order by recognised desc, revenue.method
