-- The charges that should have been billed by now: every due slice with its rounded amount. A pure function of the facts.
{{ config(materialized='view') }}
with

rated as (

    select * from {{ ref('int_rating__rated_charges') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

)

select
    rated.tenant_id,
    rated.slice_id,
    rated.rated_id,
    rated.customer_id,
    rated.subscription_id,
    rated.plan,
    rated.plan_name,
    rated.charge,
    rated.charge_position,
    rated.charge_description,
    rated.type as line_type,
    rated.model,
    rated.meter,
    rated.price_book,
    rated.dimensions,
    rated.service_start_at as slice_start_at,
    rated.service_end_at as slice_end_at,
    rated.service_start,
    rated.service_end,
    rated.quantity,
    rated.unit_price,
    rated.amount,
    rated.currency,
    rated.tax_code,
    rated.gl_account,
    rated.period_start,
    rated.due_on,
    rated.due_at,
    rated.cause_event_id
from rated
inner join tenants on rated.tenant_id = tenants.tenant_id
where
    not rated.is_running
    -- A prorated fee below the tenant's minimum is dropped.
    and not (
        rated.type = 'recurring'
        and rated.service_units <> rated.cycle_units
        and abs(rated.amount) < tenants.proration_minimum_charge
    )
union all by name
select * exclude (is_due)
from {{ ref('int_invoicing__interim_lines') }}
where is_due
