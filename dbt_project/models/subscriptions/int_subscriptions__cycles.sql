-- Runs of billing cycles on one anchor: a run starts with the first billed day and wherever the interval or the anchor changes,
-- and ends where the next one starts or the subscription does. A pause does not interrupt it.
-- depends_on: {{ ref('int_subscriptions__changed_lives') }}
{{ config(materialized='by_subscription', changes='lives') }}
with

folds as (

    select * from {{ ref('int_subscriptions__folds') }}
    where verdict = 'accepted' and cycle_from is not null

),

zones as (

    select distinct
        tenant_id,
        subscription_id,
        timezone
    from {{ ref('int_subscriptions__events') }}

),

-- A pause does not end a cycle; the end of the subscription does, unless it came back.
ends as (

    select
        tenant_id,
        subscription_id,
        starts_on as ends_on,
        starts_at as ends_at
    from {{ ref('int_subscriptions__timeline') }}
    where billing = 'off'

),

-- A change before the first billed day lays the cycle anew; one that starts earlier than an older wish replaces it.
standing as (

    select *
    from folds
    window later as (
        partition by tenant_id, subscription_id order by event_order
        rows between 1 following and unbounded following
    )
    qualify
        not coalesce(bool_or(voids_earlier) over later, false)
        and not coalesce(min(cycle_from) over later <= cycle_from, false)

),

numbered as (

    select
        standing.*,
        row_number() over sequence as cycle_no,
        lead(standing.cycle_from) over sequence as next_from
    from standing
    window sequence as (partition by standing.tenant_id, standing.subscription_id order by standing.cycle_from)

),

ended as (

    select
        numbered.tenant_id,
        numbered.subscription_id,
        numbered.cycle_no,
        min(ends.ends_on) as ends_on,
        min(ends.ends_at) as ends_at
    from numbered
    inner join ends
        on
            numbered.tenant_id = ends.tenant_id
            and numbered.subscription_id = ends.subscription_id
            and numbered.cycle_from <= ends.ends_on
    group by all

)

select
    numbered.tenant_id,
    numbered.subscription_id,
    numbered.cycle_no,
    zones.timezone,
    numbered.months,
    numbered.days,
    numbered.cycle_from as starts_on,
    numbered.anchor_on,
    numbered.anchor_day,
    least(numbered.next_from, ended.ends_on) as ends_on,
    -- With method second the subscription ends at an instant; a new cycle always starts a day.
    least({{ start_of_day('numbered.next_from', 'zones.timezone') }}, ended.ends_at) as ends_at
from numbered
inner join zones
    on
        numbered.tenant_id = zones.tenant_id
        and numbered.subscription_id = zones.subscription_id
left join ended
    on
        numbered.tenant_id = ended.tenant_id
        and numbered.subscription_id = ended.subscription_id
        and numbered.cycle_no = ended.cycle_no
