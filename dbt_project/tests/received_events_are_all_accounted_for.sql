-- Identity 1. What landed and was refused, counted at the source, is what usage_completeness says was received, and every event of it
-- has exactly one fate: accepted = rated + not billable. Fails when a model loses or doubles an event.
with

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

landed as (

    select
        events.tenant_id,
        count(*) as landed,
        count(distinct events.event_id) as distinct_events
    from {{ source('raw', 'usage_events') }} as events
    inner join clocks on events.tenant_id = clocks.tenant_id
    where events.recorded_at <= clocks.known_as_of
    group by events.tenant_id

),

refused as (

    select
        rejected.tenant_id,
        count(*) as refused
    from {{ source('raw', 'rejected') }} as rejected
    inner join clocks on rejected.tenant_id = clocks.tenant_id
    where
        rejected.stream = 'usage_events'
        and rejected.recorded_at <= clocks.known_as_of
    group by rejected.tenant_id

),

reported as (

    select
        tenant_id,
        sum(received) as received,
        sum(accepted) as accepted,
        sum(duplicates) as duplicates,
        sum(conflicts) as conflicts,
        sum(rejected) as rejected,
        sum(rated) as rated,
        sum(not_billable) as not_billable,
        min(not_billable) as least_not_billable
    from {{ ref('usage_completeness') }}
    group by tenant_id

)

select
    clocks.tenant_id,
    landed.landed,
    landed.distinct_events,
    refused.refused,
    reported.* exclude (tenant_id)
from clocks
left join landed on clocks.tenant_id = landed.tenant_id
left join refused on clocks.tenant_id = refused.tenant_id
left join reported on clocks.tenant_id = reported.tenant_id
where
    coalesce(reported.received, 0) <> coalesce(landed.landed, 0) + coalesce(refused.refused, 0)
    or coalesce(reported.accepted, 0) <> coalesce(landed.distinct_events, 0)
    or reported.received <> reported.accepted + reported.duplicates + reported.conflicts + reported.rejected
    or reported.accepted <> reported.rated + reported.not_billable
    or reported.least_not_billable < 0
