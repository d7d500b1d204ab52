-- The lines that carry out manual adjustments: on documents of their own, over the service dates of the line they correct. They name
-- no slice, so the difference between what is owed and what was billed does not see them.
with

adjustments as (

    select * from {{ ref('int_credits__adjustments') }}
    where verdict = 'accepted' and amount <> 0

),

lines as (

    select * from {{ ref('stg_ratehouse__issued_invoice_lines') }}

)

select
    lines.tenant_id,
    adjustments.adjustment_id,
    lines.customer_id,
    lines.subscription_id,
    lines.plan,
    lines.plan_name,
    lines.charge,
    lines.charge_position,
    lines.charge_description,
    case when adjustments.amount < 0 then 'credit' else 'adjustment' end as line_type,
    lines.price_book,
    lines.dimensions,
    lines.service_start,
    lines.service_end,
    adjustments.priced_amount as amount,
    lines.currency,
    lines.tax_code,
    lines.gl_account,
    lines.line_id as corrects_line_id,
    '' as discount_id
from adjustments
inner join lines
    on
        adjustments.tenant_id = lines.tenant_id
        and adjustments.line_id = lines.line_id
