-- Runs of billing cycles on one anchor: a new run starts where the interval or the anchor changes.
with

terms as (

    select * from {{ ref('int_subscriptions__terms') }}

),

plans as (

    select * from {{ ref('int_rating__plans') }}

),

anchors as (

    select
        tenant_id,
        subscription_id,
        anchor_day
    from {{ ref('int_subscriptions__events') }}
    where type = 'created'

),

intervals as (

    select
        terms.tenant_id,
        terms.subscription_id,
        terms.timezone,
        terms.terms_no,
        terms.starts_on,
        terms.ends_on,
        plans.interval,
        plans.anchor,
        {{ interval_months('plans.interval') }} * plans.interval_count as months,
        {{ interval_days('plans.interval') }} * plans.interval_count as days,
        anchors.anchor_day,
        lag(plans.interval || plans.interval_count || plans.anchor) over sequence
            is distinct from plans.interval || plans.interval_count || plans.anchor
        or lag(terms.ends_on) over sequence is distinct from terms.starts_on as is_new_run
    from terms
    inner join plans
        on
            terms.tenant_id = plans.tenant_id
            and terms.price_book = plans.price_book
            and terms.plan = plans.plan
    left join anchors
        on
            terms.tenant_id = anchors.tenant_id
            and terms.subscription_id = anchors.subscription_id
    window sequence as (partition by terms.tenant_id, terms.subscription_id order by terms.terms_no)

),

runs as (

    select
        *,
        sum(cast(is_new_run as integer)) over (partition by tenant_id, subscription_id order by terms_no) as cycle_no
    from intervals

),

spans as (

    select
        tenant_id,
        subscription_id,
        cycle_no,
        any_value(timezone) as timezone,
        any_value(interval) as interval,
        any_value(anchor) as anchor,
        any_value(months) as months,
        any_value(days) as days,
        any_value(anchor_day) as anchor_day,
        min(starts_on) as starts_on,
        -- An open end is null, and max() would pass over it.
        case when bool_or(ends_on is null) then null else max(ends_on) end as ends_on
    from runs
    group by tenant_id, subscription_id, cycle_no

)

-- A calendar anchor is the first day of the calendar unit that holds the start: weeks from Monday, quarters from January.
select
    tenant_id,
    subscription_id,
    cycle_no,
    timezone,
    interval,
    months,
    days,
    starts_on,
    ends_on,
    case
        when anchor = 'calendar' and interval = 'week' then cast(date_trunc('week', starts_on) as date)
        when anchor = 'calendar' and months is not null
            then cast(
                date_trunc('year', starts_on)
                + to_months(cast(((month(starts_on) - 1) // least(months, 12)) * least(months, 12) as integer)) as date
            )
        else starts_on
    end as anchor_on,
    case when anchor = 'calendar' then 1 else coalesce(anchor_day, day(starts_on)) end as anchor_day
from spans
