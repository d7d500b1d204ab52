-- What has been billed, per service slice and group, discounts apart: the issued lines added up, how far the slice reaches after them, and the
-- line that a correction points at.
{{ config(materialized='view') }}
with

replaced as (

    select
        tenant_id,
        replaces_line_id as line_id
    from {{ ref('stg_ratehouse__issued_invoice_lines') }}
    where replaces_line_id is not null

),

-- The document of a subscription that never began is void, and what stands on it is not billed.
void as (

    select
        tenant_id,
        invoice_id
    from {{ ref('int_subscriptions__activations') }}
    where lifecycle = 'expired_activation'

),

lines as {{ not_materialized() }}(

    select
        tenant_id,
        subscription_id,
        plan,
        charge,
        currency,
        dimensions,
        slice_start_at,
        coalesce(discount_id, '') as discount_id,
        priced_amount as amount,
        quantity,
        coupon,
        slice_end_at,
        -- Corrections point at the line that bears the slice's tax now.
        case when corrects_line_id is null and (tenant_id, line_id) not in (select (tenant_id, line_id) from replaced) then line_id end as first_line_id,
        customer_id,
        line_type,
        price_book,
        tax_code,
        charge_description,
        plan_name,
        charge_position,
        gl_account,
        slice_id,
        {{ slice_key() }} as slice_key,
        (issued_at, billing_as_of, line_id) as told
    from {{ ref('stg_ratehouse__issued_invoice_lines') }}
    where slice_start_at is not null and (tenant_id, invoice_id) not in (select (tenant_id, invoice_id) from void)

)

select * exclude (told)
from lines
where slice_key not in (select slice_key from {{ ref('int_invoicing__billed_again') }})
union all by name
select
    tenant_id,
    subscription_id,
    plan,
    charge,
    currency,
    dimensions,
    slice_start_at,
    discount_id,
    slice_key,
    cast(sum(amount) as decimal(20, 4)) as amount,
    arg_max(quantity, told) as quantity,
    arg_max(slice_end_at, told) as slice_end_at,
    arg_min(columns(* exclude (
        tenant_id, subscription_id, plan, charge, currency, dimensions, slice_start_at, discount_id, slice_key, amount, quantity, slice_end_at, told
    )), told)
from lines
where slice_key in (select slice_key from {{ ref('int_invoicing__billed_again') }})
group by tenant_id, subscription_id, plan, charge, currency, dimensions, slice_start_at, discount_id, slice_key
