-- The bridge from MRR to recognised revenue nets to zero for every customer, month and currency; it starts and ends with what the other marts
-- say; and only a closed month may owe something to what was learned later. Fails when an item of revenue belongs to no step.
with

bridge as (

    select
        tenant_id,
        customer_id,
        period,
        currency,
        sum(amount) as residual,
        sum(case step when 'mrr' then amount else 0 end) as mrr,
        sum(case step when 'revenue' then -amount else 0 end) as revenue,
        count(*) filter (where step = 'learned_later') as learned_later
    from {{ ref('mrr_to_gaap') }}
    group by tenant_id, customer_id, period, currency

),

closed as (

    select
        tenant_id,
        max(period) as last_period
    from {{ ref('stg_ratehouse__closed_periods') }}
    group by tenant_id

),

reported as (

    select
        tenant_id,
        posting_period as period,
        currency,
        0 as mrr,
        recognised as revenue
    from {{ ref('revenue_by_period') }}
    union all
    select
        mrr.tenant_id,
        mrr.period,
        mrr.currency,
        mrr.closing as mrr,
        0 as revenue
    from {{ ref('mrr_by_month') }} as mrr
    inner join {{ ref('stg_ratehouse__tenants') }} as tenants on mrr.tenant_id = tenants.tenant_id
    where mrr.period < strftime({{ local_date('tenants.billing_as_of', 'tenants.timezone') }}, '%Y-%m')
    union all
    select
        tenant_id,
        period,
        currency,
        -mrr as mrr,
        -revenue as revenue
    from bridge

)

select
    bridge.tenant_id,
    bridge.period,
    bridge.currency,
    bridge.residual
from bridge
left join closed on bridge.tenant_id = closed.tenant_id
where
    bridge.residual <> 0
    or (bridge.learned_later > 0 and bridge.period > coalesce(closed.last_period, ''))
union all
select
    tenant_id,
    period,
    currency,
    sum(mrr) + sum(revenue) as residual
from reported
group by tenant_id, period, currency
having sum(mrr) <> 0 or sum(revenue) <> 0
