-- All revenue of complete months in minor units as it is posted, one row per contract, obligation, performance month and posting month, none for zero.
{{ config(materialized='view') }}
with

tenants as (

    select
        tenant_id,
        strftime({{ local_date('billing_as_of', 'timezone') }}, '%Y-%m') as running_period
    from {{ ref('stg_ratehouse__tenants') }}

)

select settled.*
from {{ ref('int_revenue__settled') }} as settled
inner join tenants on settled.tenant_id = tenants.tenant_id
where settled.posting_period < tenants.running_period
