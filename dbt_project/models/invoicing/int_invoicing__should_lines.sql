-- What should have been billed by now: every due slice with its rounded amount. A pure function of the facts.
with

rated as (

    select * from {{ ref('int_rating__rated_charges') }}

)

select
    tenant_id,
    slice_id,
    rated_id,
    customer_id,
    subscription_id,
    plan,
    plan_name,
    charge,
    charge_position,
    charge_description,
    type as line_type,
    model,
    meter,
    price_book,
    dimensions,
    service_start_at as slice_start_at,
    service_end_at as slice_end_at,
    service_start,
    service_end,
    quantity,
    unit_price,
    amount,
    currency,
    tax_code,
    gl_account,
    due_at,
    cause_event_id
from rated
where not is_running
union all by name
select * exclude (is_due)
from {{ ref('int_invoicing__interim_lines') }}
where is_due
