-- Identity 3. total = subtotal − discount + tax, amount due = total − credits, and each of them is the sum of the document's own lines, all
-- in the document's currency. Fails when a figure that the customer sees cannot be added up from the lines above it.
with

lines as (

    select
        tenant_id,
        invoice_id,
        sum(case when line_type in ('discount', 'tax') then 0 else amount end) as subtotal,
        sum(case when line_type = 'discount' then -amount else 0 end) as discount,
        sum(case when line_type = 'tax' then amount else 0 end) as tax,
        min(currency) as first_currency,
        max(currency) as last_currency
    from {{ ref('invoice_lines') }}
    group by tenant_id, invoice_id

)

select
    invoices.tenant_id,
    invoices.invoice_number,
    invoices.subtotal,
    lines.subtotal as lines_subtotal,
    invoices.discount,
    lines.discount as lines_discount,
    invoices.tax,
    lines.tax as lines_tax,
    invoices.total,
    invoices.credits_applied,
    invoices.amount_due
from {{ ref('invoices') }} as invoices
left join lines
    on
        invoices.tenant_id = lines.tenant_id
        and invoices.invoice_id = lines.invoice_id
where
    invoices.status <> 'draft'
    and (
        lines.invoice_id is null
        or invoices.subtotal <> lines.subtotal
        or invoices.discount <> lines.discount
        or invoices.tax <> lines.tax
        or invoices.total <> invoices.subtotal - invoices.discount + invoices.tax
        or invoices.amount_due <> invoices.total - invoices.credits_applied
        or invoices.currency <> lines.first_currency
        or invoices.currency <> lines.last_currency
    )
