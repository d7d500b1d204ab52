-- Where contracts stood at the ends of closed months; what a reopened month had no longer stands.
with

balances as (

    select * from {{ source('ledger', 'closed_balances') }}

),

closes as (

    select * from {{ ref('stg_ratehouse__closed_periods') }}

)

select balances.*
from balances
inner join closes
    on
        balances.tenant_id = closes.tenant_id
        and balances.closed_period = closes.period
        and balances.run_key = closes.run_key
