-- How far each tenant's books are closed: the last month that is, and what is open after it.
{{ config(materialized='view') }}
with

closes as (

    select
        tenant_id,
        max(period) as last_period,
        last_day(cast(max(period) || '-01' as date)) + 1 as opens_on
    from {{ ref('stg_ratehouse__closed_periods') }}
    group by tenant_id

)

select
    *,
    strftime(opens_on, '%Y-%m') as open_period
from closes
