-- A void closes a document on which nothing was paid, drawn or noted.
{{ config(materialized='view') }}
with

invoices as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}
    where kind = 'invoice'

)

select
    invoices.tenant_id,
    invoices.invoice_id,
    invoices.amount_due,
    min(greatest(adjustments.effective_at, adjustments.settled_at)) as voided_at
from {{ ref('int_credits__approvals') }} as adjustments
inner join {{ ref('stg_ratehouse__tenants') }} as tenants on adjustments.tenant_id = tenants.tenant_id
inner join invoices
    on
        adjustments.tenant_id = invoices.tenant_id
        and (adjustments.invoice_id = invoices.invoice_id or adjustments.invoice_number = invoices.invoice_number)
where
    adjustments.reason_code = 'void'
    and adjustments.standing = 'approved'
    and adjustments.effective_at <= tenants.billing_as_of
    and invoices.credits_applied = 0
group by invoices.tenant_id, invoices.invoice_id, invoices.amount_due
