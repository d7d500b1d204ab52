-- The charges that should have been billed by now: every due slice with its rounded amount. A pure function of the facts.
with

rated as (

    select * from {{ ref('int_rating__rated_charges') }}

),

too_small as (

    select rated.slice_id
    from rated
    inner join {{ ref('int_proration__slices') }} as slices on rated.slice_id = slices.slice_id
    inner join {{ ref('stg_ratehouse__tenants') }} as tenants on rated.tenant_id = tenants.tenant_id
    where
        rated.type = 'recurring'
        and slices.service_units <> slices.cycle_units
        and abs(rated.amount) < tenants.proration_minimum_charge

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
    period_start,
    due_on,
    due_at,
    cause_event_id
from rated
where
    not is_running
    -- A prorated fee below the tenant's minimum is dropped.
    and slice_id not in (select slice_id from too_small)
union all by name
select * exclude (is_due)
from {{ ref('int_invoicing__interim_lines') }}
where is_due
