select
    tenant_id,
    name,
    currency,
    timezone,
    billing_as_of,
    known_as_of,
    document
from {{ ref('stg_ratehouse__tenants') }}
