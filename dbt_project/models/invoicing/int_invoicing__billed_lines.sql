-- What has been billed: issued lines added up per service slice, with the line that a correction points at.
with

lines as (

    select * from {{ ref('stg_ratehouse__issued_invoice_lines') }}

)

select
    tenant_id,
    subscription_id,
    charge,
    currency,
    dimensions,
    service_start,
    service_end,
    sum(amount) as amount,
    arg_min(line_id, (issued_at, line_no)) as first_line_id,
    arg_min(plan, (issued_at, line_no)) as plan,
    arg_min(customer_id, (issued_at, line_no)) as customer_id,
    arg_min(line_type, (issued_at, line_no)) as line_type,
    arg_min(price_book, (issued_at, line_no)) as price_book,
    arg_min(tax_code, (issued_at, line_no)) as tax_code,
    arg_min(charge_description, (issued_at, line_no)) as charge_description,
    arg_min(plan_name, (issued_at, line_no)) as plan_name,
    arg_min(charge_position, (issued_at, line_no)) as charge_position,
    arg_min(gl_account, (issued_at, line_no)) as gl_account,
    arg_min(slice_id, (issued_at, line_no)) as slice_id
from lines
where line_type in ('recurring', 'usage', 'one_time', 'minimum', 'adjustment')
group by all
