-- Every usage event once, read from the lake where it lies. A view, in the serving file too: events are not copied.
{{ config(materialized='view') }}
with

events as (

    select * from {{ ref('stg_ratehouse__usage_events') }}

),

repeated as (

    select * from {{ ref('repeated_usage_events') }}

)

select
    events.tenant_id,
    events.event_id,
    events.customer_id,
    events.subscription_id,
    events.event_type,
    events.occurred_at,
    events.quantity,
    events.properties,
    events.recorded_at,
    events.received_on
from events
left join repeated
    on
        events.tenant_id = repeated.tenant_id
        and events.event_id = repeated.event_id
where repeated.event_id is null
union all
select * from repeated
