-- What the tenant's tax provider is asked about documents that are due, and whether they wait for it.
select
    tenant_id,
    document_key,
    customer_id,
    bill_to_customer_id,
    kind,
    currency,
    bill_date,
    provider,
    amount,
    tax,
    status,
    reason,
    request_hash,
    request
from {{ ref('int_taxes__document_quotes') }}
