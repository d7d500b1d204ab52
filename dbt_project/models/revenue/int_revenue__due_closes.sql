-- Months to close now: finance said so by this run, the month is over, and whoever prepared the close did not approve
-- it. Months before it that were never closed are closed with it.
with

stated as (

    select * from {{ ref('stg_ratehouse__period_closes') }}

),

closed as (

    select * from {{ ref('stg_ratehouse__closed_periods') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

)

select
    stated.tenant_id,
    stated.period,
    stated.closed_at,
    stated.prepared_by,
    stated.approved_by,
    tenants.billing_as_of,
    tenants.known_as_of
from stated
inner join tenants on stated.tenant_id = tenants.tenant_id
left join closed
    on
        stated.tenant_id = closed.tenant_id
        and stated.period = closed.period
where
    closed.period is null
    and stated.closed_at <= tenants.known_as_of
    and stated.period < strftime({{ local_date('tenants.billing_as_of', 'tenants.timezone') }}, '%Y-%m')
    and (
        (stated.prepared_by is null and stated.approved_by is null)
        or stated.approved_by <> stated.prepared_by
    )
