-- The copy that counts of every event that arrived more than once; what the serving file needs to show each event once.
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
where
    standing = 'accepted'
    and (tenant_id, event_id) in (
        select (tenant_id, event_id) from {{ ref('int_metering__repeated_events') }}
        where standing <> 'accepted'
    )
