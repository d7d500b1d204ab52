with

lines as (

    select * from {{ ref('stg_ratehouse__issued_invoice_lines') }}

),

invoices as (

    select
        tenant_id,
        invoice_id,
        invoice_number
    from {{ ref('stg_ratehouse__issued_invoices') }}

)

select
    lines.tenant_id,
    lines.invoice_id,
    invoices.invoice_number,
    lines.line_id,
    lines.line_no,
    lines.customer_id,
    lines.subscription_id,
    lines.plan,
    lines.plan_name,
    lines.charge,
    lines.charge_position,
    lines.charge_description,
    lines.line_type,
    lines.model,
    lines.meter,
    lines.price_book,
    lines.dimensions,
    lines.service_start,
    lines.service_end,
    lines.quantity,
    lines.unit_price,
    lines.amount,
    lines.currency,
    lines.tax_code,
    lines.tax_percent,
    lines.tax_country,
    lines.tax_region,
    lines.tax_treatment,
    lines.certificate_id,
    lines.certificate_number,
    lines.gl_account,
    lines.corrects_line_id,
    lines.replaces_line_id,
    lines.cause_event_id,
    lines.coupon,
    lines.adjustment_id,
    lines.slice_id,
    lines.rated_id
from lines
inner join invoices
    on
        lines.tenant_id = invoices.tenant_id
        and lines.invoice_id = invoices.invoice_id
