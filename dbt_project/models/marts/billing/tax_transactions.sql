-- What tax providers are told about issued documents; what became of it are facts of the stream of that name.
select
    tenant_id,
    code,
    invoice_id,
    invoice_number,
    type,
    provider,
    customer_id,
    currency,
    issued_on,
    amount,
    tax,
    corrects_code,
    is_void,
    body
from {{ ref('int_taxes__transactions') }}
