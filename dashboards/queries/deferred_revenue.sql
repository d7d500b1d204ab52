-- The roll-forward of deferred revenue, all contracts together.
select
    period,
    currency,
    sum(opening) as opening,
    sum(billed) as billed,
    sum(recognised) as recognised,
    sum(modified) as modified,
    sum(credited) as credited,
    sum(refunded) as refunded,
    sum(interest) as interest,
    sum(fx) as fx,
    sum(closing) as closing
from marts.deferred_revenue_rollforward
where tenant_id = $tenant
group by period, currency
order by period, currency
