-- The copy that counts of every event that arrived more than once; what the serving file needs to show each event once.
with

copies as (

    select distinct
        tenant_id,
        event_id
    from {{ ref('int_metering__event_copies') }}
    where standing <> 'accepted'

),

events as (

    select * from {{ ref('stg_ratehouse__usage_events') }}

),

ranked as (

    select
        events.*,
        row_number() over (
            partition by events.tenant_id, events.event_id
            order by events.recorded_at, events.batch_id, events.occurred_at, events.quantity, events.properties
        ) as copy
    from events
    inner join copies
        on
            events.tenant_id = copies.tenant_id
            and events.event_id = copies.event_id

)

select
    tenant_id,
    event_id,
    customer_id,
    subscription_id,
    event_type,
    occurred_at,
    quantity,
    properties,
    recorded_at,
    received_on
from ranked
where copy = 1
