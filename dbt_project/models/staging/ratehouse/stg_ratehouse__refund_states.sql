-- Every telling of a refund, in order.
with

refunds as (

    select * from {{ source('raw', 'refunds') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

)

select
    refunds.* exclude (source, batch_id),
    row_number() over in_order as state_no,
    lead(refunds.recorded_at) over in_order as replaced_at
from refunds
inner join clocks on refunds.tenant_id = clocks.tenant_id
where refunds.recorded_at <= clocks.known_as_of
window in_order as (
    partition by refunds.tenant_id, refunds.refund_id
    order by refunds.recorded_at, case refunds.status when 'unknown' then 0 when 'pending' then 0 when 'failed' then 2 else 1 end, refunds.batch_id
)
