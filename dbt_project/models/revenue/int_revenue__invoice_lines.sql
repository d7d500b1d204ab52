-- Issued lines net of tax, with the day they were billed and how the tenant spreads them.
with

lines as (

    select * from {{ ref('stg_ratehouse__issued_invoice_lines') }}

),

invoices as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

charges as (

    select distinct
        tenant_id,
        rated_id,
        type
    from {{ ref('int_rating__rated_charges') }}

)

select
    lines.tenant_id,
    lines.invoice_id,
    lines.line_id,
    lines.customer_id,
    lines.subscription_id,
    lines.charge,
    lines.line_type,
    lines.service_start,
    lines.service_end,
    invoices.bill_date,
    invoices.customer_id as billed_to,
    lines.amount,
    lines.currency,
    -- A discount is spread as the charge it reduces.
    case
        when coalesce(charges.type, lines.line_type) = 'one_time' or lines.service_end <= lines.service_start then 'point_in_time'
        when {{ json_text('tenants.document', 'revenue.ratable') }} = 'month' then 'ratable_month'
        else 'ratable_day'
    end as recognise
from lines
inner join invoices
    on
        lines.tenant_id = invoices.tenant_id
        and lines.invoice_id = invoices.invoice_id
inner join tenants on lines.tenant_id = tenants.tenant_id
left join charges
    on
        lines.tenant_id = charges.tenant_id
        and lines.rated_id = charges.rated_id
where lines.line_type <> 'tax'
