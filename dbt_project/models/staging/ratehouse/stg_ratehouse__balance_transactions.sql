-- As known by known_as_of; a later row about the same balance transaction supersedes.
with

balance_transactions as (

    select * from {{ source('raw', 'balance_transactions') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

)

select balance_transactions.* exclude (source, batch_id)
from balance_transactions
inner join clocks on balance_transactions.tenant_id = clocks.tenant_id
where balance_transactions.recorded_at <= clocks.known_as_of
qualify row_number() over (
    partition by balance_transactions.tenant_id, balance_transactions.balance_transaction_id order by balance_transactions.recorded_at desc, balance_transactions.batch_id desc
) = 1
