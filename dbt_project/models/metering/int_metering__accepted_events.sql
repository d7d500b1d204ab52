-- The events that count: one row per (tenant, event id), known by the tenant's known_as_of.
with

copies as (

    select * from {{ ref('int_metering__event_copies') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

)

select copies.* exclude (standing)
from copies
inner join clocks on copies.tenant_id = clocks.tenant_id
where
    copies.standing = 'accepted'
    and copies.recorded_at <= clocks.known_as_of
