-- The journal of closed months as it was posted; that of a reopened month no longer stands.
with

journal as (

    select * from {{ source('ledger', 'closed_journal') }}

),

closes as (

    select * from {{ ref('stg_ratehouse__closed_periods') }}

)

select journal.*
from journal
inner join closes
    on
        journal.tenant_id = closes.tenant_id
        and journal.closed_period = closes.period
        and journal.run_key = closes.run_key
