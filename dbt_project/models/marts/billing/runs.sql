select
    run_key,
    tenant_id,
    billing_as_of,
    known_as_of,
    documents,
    lines,
    issued_at,
    code_version
from {{ source('ledger', 'runs') }}
