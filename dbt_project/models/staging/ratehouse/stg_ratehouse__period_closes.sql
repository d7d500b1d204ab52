-- What is known of closing a month since it was last reopened: stated at once, or prepared by one person and approved by another.
with

closes as (

    select * from {{ source('raw', 'period_closes') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

reopenings as (

    select * from {{ ref('stg_ratehouse__period_reopenings') }}

)

select
    closes.tenant_id,
    closes.period,
    max(closes.closed_at) as closed_at,
    arg_max(closes.prepared_by, closes.recorded_at) as prepared_by,
    arg_max(closes.approved_by, closes.recorded_at) as approved_by,
    max(closes.recorded_at) filter (where closes.prepared_by is not null and closes.approved_by is null) as prepared_at,
    arg_max(closes.prepared_hash, closes.recorded_at) as prepared_hash
from closes
inner join clocks on closes.tenant_id = clocks.tenant_id
left join reopenings
    on
        closes.tenant_id = reopenings.tenant_id
        and closes.period = reopenings.period
where
    closes.recorded_at <= clocks.known_as_of
    and closes.reopened_by is null
    and (reopenings.reopened_at is null or closes.recorded_at > reopenings.reopened_at)
group by closes.tenant_id, closes.period
