-- As known by known_as_of; a later row about the same adjustment supersedes.
with

adjustments as (

    select * from {{ source('raw', 'adjustments') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

ranked as (

    select
        adjustments.*,
        row_number() over (
            partition by adjustments.tenant_id, adjustments.adjustment_id order by adjustments.recorded_at desc, adjustments.batch_id desc
        ) as recency
    from adjustments
    inner join clocks on adjustments.tenant_id = clocks.tenant_id
    where adjustments.recorded_at <= clocks.known_as_of

)

select * exclude (recency, source, batch_id)
from ranked
where recency = 1
