with

events as (

    select * from {{ source('raw', 'contract_events') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

ranked as (

    select
        events.*,
        row_number() over (partition by events.tenant_id, events.event_id order by events.recorded_at, events.batch_id) as arrival
    from events
    inner join clocks on events.tenant_id = clocks.tenant_id
    where events.recorded_at <= clocks.known_as_of

)

select
    tenant_id,
    event_id,
    contract_id,
    type,
    effective_on,
    recorded_at,
    data
from ranked
where arrival = 1
