-- The life of each subscription in spans in which nothing about it changes, with what began each of them. A trial is cut out of the
-- span that it lies in.
with

timeline as (

    select * from {{ ref('int_subscriptions__timeline') }}

),

trials as (

    select * from {{ ref('int_subscriptions__periods') }}
    where is_trial

),

events as (

    select * from {{ ref('int_subscriptions__events') }}

),

-- A span with a trial in it counts twice: once up to the trial's end, once from there.
parts as (

    select
        timeline.*,
        false as is_trial,
        greatest(timeline.starts_on, coalesce(trials.period_end, timeline.starts_on)) as part_starts_on,
        timeline.ends_on as part_ends_on
    from timeline
    left join trials
        on
            timeline.tenant_id = trials.tenant_id
            and timeline.subscription_id = trials.subscription_id
    union all
    select
        timeline.*,
        true as is_trial,
        timeline.starts_on as part_starts_on,
        least(timeline.ends_on, trials.period_end) as part_ends_on
    from timeline
    inner join trials
        on
            timeline.tenant_id = trials.tenant_id
            and timeline.subscription_id = trials.subscription_id
            and timeline.starts_on < trials.period_end
    where timeline.billing = 'on'

)

select
    parts.tenant_id,
    parts.subscription_id,
    parts.customer_id,
    row_number() over (
        partition by parts.tenant_id, parts.subscription_id order by parts.starts_at, parts.part_starts_on
    ) as span_no,
    case
        when parts.is_trial then 'trialing'
        when parts.billing = 'off' then 'ended'
        when parts.billing = 'on' then 'active'
        else 'paused'
    end as state,
    parts.plan,
    parts.price_book,
    cast(parts.quantities as varchar) as quantities,
    parts.part_starts_on as starts_on,
    parts.part_ends_on as ends_on,
    parts.cause_event_id,
    events.type as cause
from parts
left join events
    on
        parts.tenant_id = events.tenant_id
        and parts.subscription_id = events.subscription_id
        and parts.cause_event_id = events.event_id
where parts.part_ends_on is null or parts.part_starts_on < parts.part_ends_on
