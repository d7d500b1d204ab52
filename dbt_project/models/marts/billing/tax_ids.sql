-- Tax ids on which the reverse charge of a document depends, due or issued.
select
    tenant_id,
    document_key,
    invoice_id,
    customer_id,
    tax_id,
    tax_on,
    standing,
    asked_at
from {{ ref('int_taxes__tax_ids') }}
