-- Billing periods, half-open local dates, each computed from the anchor; those begun by billing_as_of, and the one after.
with

cycles as (

    select * from {{ ref('int_subscriptions__cycles') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

horizons as (

    select
        cycles.*,
        {{ local_date('tenants.billing_as_of', 'cycles.timezone') }} as as_of_on
    from cycles
    inner join tenants on cycles.tenant_id = tenants.tenant_id

),

-- k runs far enough that the period after the running one is there; one too many costs a row that the next step drops.
numbered as (

    select
        *,
        unnest(range(-1, case
            when months is not null then greatest(datediff('month', anchor_on, as_of_on), 0) // months
            else greatest(datediff('day', anchor_on, as_of_on), 0) // days
        end + 3)) as k
    from horizons

),

bounded as (

    select
        *,
        {{ period_boundary('anchor_on', 'anchor_day', 'months', 'days', 'k') }} as full_start,
        {{ period_boundary('anchor_on', 'anchor_day', 'months', 'days', 'k + 1') }} as full_end
    from numbered

),

cut as (

    select
        *,
        greatest(full_start, starts_on) as period_start,
        least(full_end, coalesce(ends_on, full_end)) as period_end
    from bounded
    where
        full_end > starts_on
        and (ends_on is null or full_start < ends_on)

),

-- the first period that has not begun is what the next run will bill
ahead as (

    select
        *,
        period_start <= as_of_on as is_begun,
        count(*) filter (where period_start > as_of_on) over (
            partition by tenant_id, subscription_id, cycle_no order by period_start
        ) as periods_ahead
    from cut

)

select
    tenant_id,
    subscription_id,
    cycle_no,
    timezone,
    period_start,
    period_end,
    full_start as cycle_start,
    full_end as cycle_end,
    datediff('day', period_start, period_end) as days,
    datediff('day', full_start, full_end) as cycle_days,
    coalesce(months, 0) as cycle_months,
    interval,
    period_start <> full_start or period_end <> full_end as is_stub,
    false as is_trial,
    is_begun
from ahead
where periods_ahead <= 1
