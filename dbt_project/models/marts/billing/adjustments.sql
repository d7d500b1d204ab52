with

approvals as (

    select * from {{ ref('int_credits__approvals') }}

),

invoices as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}

),

-- What an adjustment points at and no document carries out yet; a void may point at several lines.
pointed as (

    select
        tenant_id,
        adjustment_id,
        min(line_id) as line_id,
        sum(left_amount) as left_amount,
        sum(amount) as amount,
        bool_or(verdict = 'adjustment_too_large') as is_too_large
    from {{ ref('int_credits__adjustments') }}
    group by tenant_id, adjustment_id

),

carried_out as (

    select
        tenant_id,
        adjustment_id,
        min(invoice_id) as note_id,
        min(corrects_line_id) as line_id,
        sum(amount) as amount
    from {{ ref('stg_ratehouse__issued_invoice_lines') }}
    where adjustment_id is not null
    group by tenant_id, adjustment_id

),

voided as (

    select
        tenant_id,
        invoice_id
    from {{ ref('int_credits__open_amounts') }}
    where voided_at is not null

),

lines as (

    select
        tenant_id,
        line_id,
        line_no,
        subscription_id,
        charge,
        charge_description,
        service_start,
        service_end,
        amount
    from {{ ref('stg_ratehouse__issued_invoice_lines') }}

)

select
    approvals.tenant_id,
    approvals.adjustment_id,
    case
        when carried_out.note_id is not null then 'issued'
        when approvals.standing <> 'approved' then approvals.standing
        when approvals.reason_code = 'void' and voided.invoice_id is not null then 'voided'
        when pointed.adjustment_id is null then 'unmatched'
        when pointed.is_too_large then 'too_large'
        else 'approved'
    end as status,
    invoices.customer_id,
    invoices.bill_to_name,
    invoices.invoice_id,
    coalesce(invoices.invoice_number, approvals.invoice_number) as invoice_number,
    lines.line_id,
    lines.line_no,
    lines.subscription_id,
    coalesce(lines.charge, approvals.charge) as charge,
    lines.charge_description,
    lines.service_start,
    lines.service_end,
    lines.amount as line_amount,
    cast(pointed.left_amount as decimal(20, 4)) as left_amount,
    cast(coalesce(carried_out.amount, approvals.amount, pointed.amount) as decimal(20, 4)) as amount,
    invoices.currency,
    approvals.reason_code,
    approvals.reason,
    approvals.requested_by,
    approvals.recorded_at as requested_at,
    approvals.effective_at,
    approvals.decided_by,
    approvals.decided_at,
    approvals.decision_reason,
    notes.invoice_id as note_id,
    notes.invoice_number as note_number,
    notes.issued_on as note_issued_on
from approvals
left join invoices
    on
        approvals.tenant_id = invoices.tenant_id
        and (approvals.invoice_id = invoices.invoice_id or approvals.invoice_number = invoices.invoice_number)
left join pointed
    on
        approvals.tenant_id = pointed.tenant_id
        and approvals.adjustment_id = pointed.adjustment_id
left join carried_out
    on
        approvals.tenant_id = carried_out.tenant_id
        and approvals.adjustment_id = carried_out.adjustment_id
left join lines
    on
        approvals.tenant_id = lines.tenant_id
        and lines.line_id = case
            when approvals.reason_code is distinct from 'void' then coalesce(carried_out.line_id, pointed.line_id)
        end
left join voided
    on
        invoices.tenant_id = voided.tenant_id
        and invoices.invoice_id = voided.invoice_id
left join invoices as notes
    on
        carried_out.tenant_id = notes.tenant_id
        and carried_out.note_id = notes.invoice_id
