-- What is still open of every issued invoice: what was due less what was paid on it and what credit notes took off, as the movements of
-- its account came to. A void that found nothing paid, drawn or noted closes the document; any other is credited
-- (int_credits__adjustments). The first document of a subscription that was not paid for in time is void too.
{{ config(materialized='view') }}
select * from {{ ref('int_credits__ordered_amounts') }}
union all
select
    tenant_id,
    invoice_id,
    invoice_number,
    customer_id,
    currency,
    issued_at,
    seq,
    due_on,
    cast(null as timestamp with time zone) as voided_at,
    applied_amount as paid_amount,
    cast(0 as decimal(20, 4)) as noted_amount,
    cast(0 as decimal(20, 4)) as voided_amount,
    cast(0 as decimal(20, 4)) as tolerated_amount,
    cast(0 as decimal(20, 4)) as withheld_amount,
    cast(amount_due - applied_amount as decimal(20, 4)) as open_amount
from {{ ref('int_payments__lone_invoices') }}
