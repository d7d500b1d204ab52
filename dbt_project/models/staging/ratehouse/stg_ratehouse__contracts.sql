-- A contract is a row that never changes: what alters it is an event.
with

contracts as (

    select * from {{ source('raw', 'contracts') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

ranked as (

    select
        contracts.*,
        row_number() over (partition by contracts.tenant_id, contracts.contract_id order by contracts.recorded_at, contracts.batch_id) as arrival
    from contracts
    inner join clocks on contracts.tenant_id = clocks.tenant_id
    where contracts.recorded_at <= clocks.known_as_of

)

select
    tenant_id,
    contract_id,
    customer_id,
    currency,
    signed_on,
    cancellable,
    consideration,
    subscription_ids,
    obligations,
    discount_groups,
    variable,
    financing,
    costs,
    recorded_at
from ranked
where arrival = 1
