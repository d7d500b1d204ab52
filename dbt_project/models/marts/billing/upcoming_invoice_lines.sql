-- What the next run would issue, and the running period's usage so far, at the price it has reached.
with

due as (

    select * from {{ ref('int_invoicing__due_lines') }}

),

running as (

    select * from {{ ref('int_rating__rated_charges') }}
    where is_running and amount <> 0

)

select
    tenant_id,
    'due' as standing,
    customer_id,
    subscription_id,
    plan,
    plan_name,
    charge,
    charge_position,
    charge_description,
    line_type,
    dimensions,
    service_start,
    service_end,
    quantity,
    unit_price,
    amount,
    currency,
    tax_code,
    tax_percent,
    corrects_line_id,
    cause_event_id
from due
union all
select
    tenant_id,
    'running' as standing,
    customer_id,
    subscription_id,
    plan,
    plan_name,
    charge,
    charge_position,
    charge_description,
    type as line_type,
    dimensions,
    service_start,
    service_end,
    quantity,
    unit_price,
    amount,
    currency,
    tax_code,
    cast(null as decimal(28, 12)) as tax_percent,
    cast(null as varchar) as corrects_line_id,
    cause_event_id
from running
