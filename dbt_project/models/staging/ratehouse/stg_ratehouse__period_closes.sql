-- What is known of closing a month: stated at once, or prepared by one person and approved by another.
with

closes as (

    select * from {{ source('raw', 'period_closes') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

)

select
    closes.tenant_id,
    closes.period,
    max(closes.closed_at) as closed_at,
    arg_max(closes.prepared_by, closes.recorded_at) as prepared_by,
    arg_max(closes.approved_by, closes.recorded_at) as approved_by
from closes
inner join clocks on closes.tenant_id = clocks.tenant_id
where closes.recorded_at <= clocks.known_as_of
group by closes.tenant_id, closes.period
