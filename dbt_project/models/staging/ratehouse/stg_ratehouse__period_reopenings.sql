-- The last reopening of every month that was closed once: what was said of closing it before no longer counts.
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
    max(closes.recorded_at) as reopened_at,
    arg_max(closes.reopened_by, closes.recorded_at) as reopened_by,
    arg_max(closes.reason, closes.recorded_at) as reason
from closes
inner join clocks on closes.tenant_id = clocks.tenant_id
where
    closes.recorded_at <= clocks.known_as_of
    and closes.reopened_by is not null
group by closes.tenant_id, closes.period
