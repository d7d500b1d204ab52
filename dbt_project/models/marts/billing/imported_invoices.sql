-- Documents that another system issued, for the history of a customer; neither billed again nor owed here.
select
    tenant_id,
    invoice_number,
    kind,
    customer_id,
    currency,
    issued_on,
    lines,
    repeated_lines,
    lines_without_customer,
    total,
    total_exact
from {{ ref('int_invoicing__imported_documents') }}
