-- All revenue in minor units as it is posted, one row per contract, obligation, performance month and posting month, none for zero: what closes
-- settled, and of the months after the first open one what is earned.
{{ config(materialized='view') }}
with

earned as (

    select * from {{ ref('int_revenue__earned') }}

),

tenants as (

    select
        tenant_id,
        strftime({{ local_date('billing_as_of', 'timezone') }}, '%Y-%m') as running_period
    from {{ ref('stg_ratehouse__tenants') }}

),

closed as (

    select
        tenant_id,
        strftime(last_day(cast(max(period) || '-01' as date)) + 1, '%Y-%m') as open_period
    from {{ ref('stg_ratehouse__closed_periods') }}
    group by tenant_id

)

select earned.*
from earned
inner join tenants on earned.tenant_id = tenants.tenant_id
left join closed on earned.tenant_id = closed.tenant_id
where
    earned.posting_period < tenants.running_period
    and (closed.open_period is null or earned.posting_period > closed.open_period)
union all
select * from {{ ref('int_revenue__settled') }}
