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
    received_on,
    source,
    batch_id
from {{ source('raw', 'usage_events') }}
