-- Every charge of every begun period with its amount, and of usage also as of the month ends inside a slice: one row per slice and group of dimensions.
-- A view: slices are many and wide, and what they cost stands once a pricing key.
{{ config(materialized='view') }}
with

slices as (

    select
        *,
        cast(null as date) as checkpoint_on,
        slice_id as checked_slice_id
    from {{ ref('int_proration__slices') }}
    where is_begun
    union all by name
    select * from {{ ref('int_proration__checkpoints') }}

),

amounts as (

    select * from {{ ref('int_rating__amounts') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

)

select
    slices.tenant_id,
    {{ group_id('slices.slice_id', 'amounts.dimension_values') }} as rated_id,
    slices.slice_id,
    slices.pricing_key,
    slices.customer_id,
    slices.subscription_id,
    slices.plan,
    slices.plan_name,
    slices.charge,
    slices.charge_position,
    slices.charge_description,
    slices.type,
    amounts.model,
    slices.meter,
    slices.price_book,
    amounts.dimension_values as dimensions,
    slices.service_start,
    slices.service_end,
    slices.service_start_at,
    slices.service_end_at,
    slices.period_start,
    slices.period_end,
    slices.service_units,
    slices.cycle_units,
    slices.cycle_days,
    slices.cycle_months,
    amounts.quantity,
    amounts.included_quantity,
    amounts.unit_price,
    slices.minimum,
    slices.maximum,
    amounts.event_count,
    slices.tax_code,
    slices.gl_account,
    amounts.amount_exact,
    amounts.amount,
    amounts.unlimited_amount,
    slices.currency,
    slices.due_on,
    slices.due_at,
    slices.due_at > tenants.billing_as_of as is_running,
    slices.timezone,
    slices.cause_event_id,
    slices.is_forgone,
    slices.checkpoint_on,
    slices.checked_slice_id
from slices
inner join amounts on slices.pricing_key = amounts.pricing_key
inner join tenants on slices.tenant_id = tenants.tenant_id
