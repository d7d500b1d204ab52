-- Revenue as it was posted when its month was closed; that of a reopened month no longer stands.
with

revenue as (

    select * from {{ source('ledger', 'closed_revenue') }}

),

closes as (

    select * from {{ ref('stg_ratehouse__closed_periods') }}

)

select revenue.*
from revenue
inner join closes
    on
        revenue.tenant_id = closes.tenant_id
        and revenue.closed_period = closes.period
        and revenue.run_key = closes.run_key
