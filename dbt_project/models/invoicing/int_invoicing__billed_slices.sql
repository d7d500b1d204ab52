-- What has been billed, per service slice and group, discounts apart: the issued lines added up, how far the slice reaches after them, and the
-- line that a correction points at.
with

lines as (

    select * from {{ ref('stg_ratehouse__issued_invoice_lines') }}

),

replaced as (

    select
        tenant_id,
        replaces_line_id as line_id
    from lines
    where replaces_line_id is not null

),

-- The document of a subscription that never began is void, and what stands on it is not billed.
void as (

    select
        tenant_id,
        invoice_id
    from {{ ref('int_subscriptions__activations') }}
    where lifecycle = 'expired_activation'

)

select
    tenant_id,
    subscription_id,
    plan,
    charge,
    currency,
    dimensions,
    slice_start_at,
    coalesce(discount_id, '') as discount_id,
    sum(priced_amount) as amount,
    arg_max(quantity, (issued_at, billing_as_of, line_id)) as quantity,
    arg_min(coupon, (issued_at, billing_as_of, line_id)) as coupon,
    arg_max(slice_end_at, (issued_at, billing_as_of, line_id)) as slice_end_at,
    -- Corrections point at the line that bears the slice's tax now.
    arg_min(line_id, (issued_at, billing_as_of, line_id))
        filter (where corrects_line_id is null and (tenant_id, line_id) not in (select (tenant_id, line_id) from replaced)) as first_line_id,
    arg_min(customer_id, (issued_at, billing_as_of, line_id)) as customer_id,
    arg_min(line_type, (issued_at, billing_as_of, line_id)) as line_type,
    arg_min(price_book, (issued_at, billing_as_of, line_id)) as price_book,
    arg_min(tax_code, (issued_at, billing_as_of, line_id)) as tax_code,
    arg_min(charge_description, (issued_at, billing_as_of, line_id)) as charge_description,
    arg_min(plan_name, (issued_at, billing_as_of, line_id)) as plan_name,
    arg_min(charge_position, (issued_at, billing_as_of, line_id)) as charge_position,
    arg_min(gl_account, (issued_at, billing_as_of, line_id)) as gl_account,
    arg_min(slice_id, (issued_at, billing_as_of, line_id)) as slice_id
from lines
where slice_start_at is not null and (tenant_id, invoice_id) not in (select (tenant_id, invoice_id) from void)
group by tenant_id, subscription_id, plan, charge, currency, dimensions, slice_start_at, coalesce(discount_id, '')
