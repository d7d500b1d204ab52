-- Closes that were carried out by known_as_of.
with

closes as (

    select * from {{ source('ledger', 'closed_periods') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

)

select closes.*
from closes
inner join clocks on closes.tenant_id = clocks.tenant_id
where closes.known_as_of <= clocks.known_as_of
