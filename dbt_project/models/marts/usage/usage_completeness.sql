-- Nothing vanishes: every landed usage event by the UTC day it was received and its type, and what became of it.
with

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

copies as (

    select
        events.tenant_id,
        events.received_on,
        events.event_type,
        count(*) filter (where events.standing = 'duplicate') as duplicates,
        count(*) filter (where events.standing = 'conflict') as conflicts
    from {{ ref('int_metering__repeated_events') }} as events
    inner join clocks on events.tenant_id = clocks.tenant_id
    where events.recorded_at <= clocks.known_as_of
    group by all

),

landed as (

    select
        received.tenant_id,
        received.received_on,
        received.event_type,
        received.landed,
        received.last_event_at,
        coalesce(copies.duplicates, 0) as duplicates,
        coalesce(copies.conflicts, 0) as conflicts,
        received.landed - coalesce(copies.duplicates, 0) - coalesce(copies.conflicts, 0) as accepted
    from {{ ref('int_metering__received') }} as received
    left join copies
        on
            received.tenant_id = copies.tenant_id
            and received.received_on = copies.received_on
            and received.event_type = copies.event_type

),

rejected as (

    select
        rejected.tenant_id,
        cast(rejected.recorded_at as date) as received_on,
        coalesce({{ json_text('rejected.payload', 'event_type') }}, '') as event_type,
        count(*) as rejected
    from {{ source('raw', 'rejected') }} as rejected
    inner join clocks on rejected.tenant_id = clocks.tenant_id
    where
        rejected.stream = 'usage_events'
        and rejected.recorded_at <= clocks.known_as_of
    group by all

),

rated as (

    select
        tenant_id,
        received_on,
        event_type,
        sum(rated_events) as rated,
        sum(skipped_values) as skipped_values,
        sum(rated_quantity) as quantity_rated
    from {{ ref('int_metering__states') }}
    group by all

)

select
    coalesce(landed.tenant_id, rejected.tenant_id) as tenant_id,
    coalesce(landed.received_on, rejected.received_on) as received_on,
    coalesce(landed.event_type, rejected.event_type) as event_type,
    cast(coalesce(landed.landed, 0) + coalesce(rejected.rejected, 0) as bigint) as received,
    cast(coalesce(landed.duplicates, 0) as bigint) as duplicates,
    cast(coalesce(landed.conflicts, 0) as bigint) as conflicts,
    cast(coalesce(rejected.rejected, 0) as bigint) as rejected,
    cast(coalesce(landed.accepted, 0) - coalesce(rated.rated, 0) as bigint) as not_billable,
    cast(coalesce(landed.accepted, 0) as bigint) as accepted,
    cast(coalesce(rated.rated, 0) as bigint) as rated,
    cast(coalesce(rated.skipped_values, 0) as bigint) as skipped_values,
    cast(coalesce(rated.quantity_rated, 0) as decimal(38, 10)) as quantity_rated,
    landed.last_event_at
from landed
full outer join rejected
    on
        landed.tenant_id = rejected.tenant_id
        and landed.received_on = rejected.received_on
        and landed.event_type = rejected.event_type
left join rated
    on
        landed.tenant_id = rated.tenant_id
        and landed.received_on = rated.received_on
        and landed.event_type = rated.event_type
