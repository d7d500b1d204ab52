-- Every landed event, copies included; event_key is a hash of its identity, which sorts out at eight bytes a row what can
-- have a copy at all. Two different events may share a key: whatever decides compares the identity itself.
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
    {{ hash_key('tenant_id', 'event_id') }} as event_key
from {{ source('raw', 'usage_events') }}
