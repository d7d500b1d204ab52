-- Proof 1, of invoices (identity 3). What was due of an invoice = allocations + credit notes + voids + write-offs + taxes kept + what is open. Allocations and
-- notes are added up from their own relations, so the sum goes two roads. `residual` is what nothing accounts for, signed.
with

allocations as (

    select
        tenant_id,
        invoice_id,
        sum(amount) as amount
    from {{ ref('payment_allocations') }}
    group by tenant_id, invoice_id

),

notes as (

    select
        tenant_id,
        invoice_id,
        sum(amount) as amount
    from {{ ref('stg_ratehouse__credit_note_uses') }}
    group by tenant_id, invoice_id

)

select
    invoices.tenant_id,
    invoices.invoice_number,
    invoices.total,
    invoices.credits_applied,
    allocations.amount as allocated,
    notes.amount as noted,
    receivables.open_amount,
    invoices.total - invoices.credits_applied - coalesce(allocations.amount, 0) - coalesce(notes.amount, 0)
    - receivables.voided_amount - receivables.written_off_amount - receivables.tolerated_amount - receivables.withheld_amount - receivables.open_amount as residual
from {{ ref('stg_ratehouse__issued_invoices') }} as invoices
inner join {{ ref('int_payments__receivables') }} as receivables
    on
        invoices.tenant_id = receivables.tenant_id
        and invoices.invoice_id = receivables.invoice_id
left join allocations
    on
        invoices.tenant_id = allocations.tenant_id
        and invoices.invoice_id = allocations.invoice_id
left join notes
    on
        invoices.tenant_id = notes.tenant_id
        and invoices.invoice_id = notes.invoice_id
where
    receivables.open_amount < 0
    or invoices.total - invoices.credits_applied - coalesce(allocations.amount, 0) - coalesce(notes.amount, 0)
    - receivables.voided_amount - receivables.written_off_amount - receivables.tolerated_amount - receivables.withheld_amount - receivables.open_amount <> 0
