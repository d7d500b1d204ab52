-- Billing periods, half-open local dates, each computed from the anchor; those begun by billing_as_of, and the one after.
-- depends_on: {{ ref('int_subscriptions__changed_terms') }}
{{ config(materialized='by_subscription', changes='terms') }}
with

cycles as (

    select * from {{ ref('int_subscriptions__cycles') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

zones as (

    select distinct
        tenant_id,
        subscription_id,
        timezone
    from {{ ref('int_subscriptions__events') }}

),

horizons as (

    select
        cycles.*,
        {{ local_date('tenants.billing_as_of', 'cycles.timezone') }} as as_of_on
    from cycles
    inner join tenants on cycles.tenant_id = tenants.tenant_id

),

-- The boundaries number k run from before the first cycle far enough that the period after the running one is there; what lies outside
-- costs a row that the next step drops.
bounded as (

    select
        *,
        list_transform(
            range(-2, case
                when months is not null then greatest(datediff('month', anchor_on, as_of_on), 0) // months
                else greatest(datediff('day', anchor_on, as_of_on), 0) // days
            end + 4),
            lambda k: {{ period_boundary('anchor_on', 'anchor_day', 'months', 'days', 'k') }}
        ) as boundaries
    from horizons

),

laid as (

    select
        * exclude (boundaries),
        unnest(boundaries[:-3]) as earlier_start,
        unnest(boundaries[2:-2]) as full_start,
        unnest(boundaries[3:]) as full_end
    from bounded

),

-- The first period that has not begun is what the next run will bill: the one before it has, or there is none before it.
cut as (

    select
        *,
        greatest(full_start, starts_on) as period_start,
        least(full_end, coalesce(ends_on, full_end)) as period_end,
        greatest(full_start, starts_on) <= as_of_on as is_begun
    from laid
    where
        full_end > starts_on
        and (ends_on is null or full_start < ends_on)
        and (full_start <= starts_on or greatest(earlier_start, starts_on) <= as_of_on)

),

-- A trial is a period of its own before the first cycle.
trials as (

    select
        folds.tenant_id,
        folds.subscription_id,
        customers.timezone,
        min(events.effective_on) as period_start,
        arg_max(folds.trial_end, folds.event_order) as period_end
    from {{ ref('int_subscriptions__folds') }} as folds
    inner join {{ ref('int_subscriptions__events') }} as events
        on
            folds.tenant_id = events.tenant_id
            and folds.subscription_id = events.subscription_id
            and events.type = 'created'
    inner join zones as customers
        on
            folds.tenant_id = customers.tenant_id
            and folds.subscription_id = customers.subscription_id
    where folds.verdict = 'accepted' and folds.trial_end is not null
    group by folds.tenant_id, folds.subscription_id, customers.timezone

),

cut_trials as (

    select
        trials.tenant_id,
        trials.subscription_id,
        trials.timezone,
        trials.period_start,
        least(min(trials.period_end), min(ends.starts_on)) as period_end
    from trials
    left join {{ ref('int_subscriptions__timeline') }} as ends
        on
            trials.tenant_id = ends.tenant_id
            and trials.subscription_id = ends.subscription_id
            and ends.billing = 'off'
    group by trials.tenant_id, trials.subscription_id, trials.timezone, trials.period_start

),

all_periods as (

    select
        tenant_id,
        subscription_id,
        cycle_no,
        timezone,
        period_start,
        period_end,
        {{ start_of_day('period_start', 'timezone') }} as period_start_at,
        case when period_end = ends_on then ends_at else {{ start_of_day('period_end', 'timezone') }} end as period_end_at,
        -- Where the zone's own days are cut the last one is the day before; a subscription may end inside a day.
        case when period_end = ends_on then {{ local_date('ends_at - interval 1 microsecond', 'timezone') }} else period_end - 1 end as last_day,
        full_start as cycle_start,
        full_end as cycle_end,
        coalesce(months, 0) as cycle_months,
        false as is_trial,
        is_begun
    from cut
    union all by name
    select
        tenant_id,
        subscription_id,
        0 as cycle_no,
        timezone,
        period_start,
        period_end,
        {{ start_of_day('period_start', 'timezone') }} as period_start_at,
        {{ start_of_day('period_end', 'timezone') }} as period_end_at,
        period_end - 1 as last_day,
        period_start as cycle_start,
        period_end as cycle_end,
        0 as cycle_months,
        true as is_trial,
        true as is_begun
    from cut_trials
    where period_start < period_end

)

select
    tenant_id,
    subscription_id,
    cycle_no,
    timezone,
    period_start,
    period_end,
    period_start_at,
    period_end_at,
    last_day,
    cycle_start,
    cycle_end,
    datediff('day', period_start, period_end) as days,
    datediff('day', cycle_start, cycle_end) as cycle_days,
    cycle_months,
    period_start <> cycle_start or period_end <> cycle_end as is_stub,
    is_trial,
    is_begun
from all_periods
