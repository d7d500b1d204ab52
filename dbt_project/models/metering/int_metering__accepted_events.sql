-- The events that count, each once: the landed rows without those that have copies, and of these the copy that counts.
-- A view: Parquet stays the only copy of the events.
{{ config(materialized='view') }}

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
from {{ ref('stg_ratehouse__usage_events') }} as events
where event_key not in (select event_key from {{ ref('int_metering__repeated_events') }})
union all
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
from {{ ref('int_metering__repeated_events') }}
where standing = 'accepted'
