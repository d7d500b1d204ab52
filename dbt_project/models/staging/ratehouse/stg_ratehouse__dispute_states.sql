-- Every stage of a dispute, in order.
with

disputes as (

    select * from {{ source('raw', 'disputes') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

)

select
    disputes.* exclude (source, batch_id),
    row_number() over in_order as state_no,
    lead(disputes.recorded_at) over in_order as replaced_at
from disputes
inner join clocks on disputes.tenant_id = clocks.tenant_id
where disputes.recorded_at <= clocks.known_as_of
window in_order as (
    partition by disputes.tenant_id, disputes.dispute_id
    order by disputes.recorded_at, disputes.effective_at, case disputes.stage when 'warning' then 0 when 'open' then 1 else 2 end, disputes.batch_id
)
