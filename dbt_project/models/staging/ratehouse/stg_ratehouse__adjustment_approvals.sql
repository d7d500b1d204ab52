-- As known by known_as_of.
with

approvals as (

    select * from {{ source('raw', 'adjustment_approvals') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

)

select distinct
    approvals.tenant_id,
    approvals.adjustment_id,
    approvals.decision,
    approvals.decided_by,
    approvals.decided_at,
    approvals.reason,
    approvals.recorded_at
from approvals
inner join clocks on approvals.tenant_id = clocks.tenant_id
where approvals.recorded_at <= clocks.known_as_of
