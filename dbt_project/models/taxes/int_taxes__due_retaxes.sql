-- The lines that carry out what a certificate recorded late asks for: what is left of the line that was taxed is taken back with its tax,
-- and the same amount is charged without.
with

retaxed as (

    select * from {{ ref('int_taxes__retaxed_lines') }}

),

lines as (

    select * from {{ ref('stg_ratehouse__issued_invoice_lines') }}

),

steps (step) as (

    values ('taken_back'), ('charged_anew')

)

select
    lines.tenant_id,
    lines.customer_id,
    lines.subscription_id,
    lines.plan,
    lines.plan_name,
    lines.charge,
    lines.charge_position,
    lines.charge_description,
    case lines.line_type when 'discount' then 'discount' else 'adjustment' end as line_type,
    lines.model,
    lines.meter,
    lines.price_book,
    lines.dimensions,
    lines.service_start,
    lines.service_end,
    retaxed.quantity,
    cast(case steps.step when 'taken_back' then -retaxed.amount else retaxed.amount end as decimal(20, 4)) as amount,
    lines.currency,
    lines.tax_code,
    lines.gl_account,
    lines.coupon,
    coalesce(lines.discount_id, '') as discount_id,
    lines.slice_id,
    lines.slice_start_at,
    retaxed.slice_end_at,
    retaxed.invoice_id as retaxed_invoice_id,
    case steps.step when 'taken_back' then lines.line_id end as corrects_line_id,
    case steps.step when 'charged_anew' then lines.line_id end as replaces_line_id,
    case steps.step when 'charged_anew' then retaxed.invoice_id end as replaces_invoice_id
from retaxed
inner join lines
    on
        retaxed.tenant_id = lines.tenant_id
        and retaxed.line_id = lines.line_id
cross join steps
