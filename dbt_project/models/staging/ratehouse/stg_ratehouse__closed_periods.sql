-- Closes that were carried out by known_as_of and not reopened since.
with

closes as (

    select * from {{ source('ledger', 'closed_periods') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

reopenings as (

    select * from {{ ref('stg_ratehouse__period_reopenings') }}

)

select closes.*
from closes
inner join clocks on closes.tenant_id = clocks.tenant_id
left join reopenings
    on
        closes.tenant_id = reopenings.tenant_id
        and closes.period = reopenings.period
where
    closes.known_as_of <= clocks.known_as_of
    and (reopenings.reopened_at is null or closes.known_as_of > reopenings.reopened_at)
