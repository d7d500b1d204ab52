-- As known by known_as_of; a later row about the same payout supersedes.
with

payouts as (

    select * from {{ source('raw', 'payouts') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

)

select payouts.* exclude (source, batch_id)
from payouts
inner join clocks on payouts.tenant_id = clocks.tenant_id
where payouts.recorded_at <= clocks.known_as_of
qualify row_number() over (
    partition by payouts.tenant_id, payouts.payout_id order by payouts.recorded_at desc, payouts.batch_id desc
) = 1
