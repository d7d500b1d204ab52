-- What became of each part of an entry in an accounting system, the last that was said of it counts.
with

postings as (

    select * from {{ source('raw', 'journal_postings') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

said as (

    select
        postings.*,
        (postings.attempt, case postings.event when 'claimed' then 1 when 'voided' then 3 else 2 end, postings.occurred_at) as place
    from postings
    inner join clocks on postings.tenant_id = clocks.tenant_id
    where postings.recorded_at <= clocks.known_as_of

)

select
    tenant_id,
    posting_id,
    arg_max(target, place) filter (where event = 'claimed') as target,
    arg_max(period, place) filter (where event = 'claimed') as period,
    arg_max(entry_id, place) filter (where event = 'claimed') as entry_id,
    arg_max(number, place) filter (where event = 'claimed') as number,
    arg_max(event, place) as event,
    arg_max(external_id, place) filter (where event = 'posted') as external_id,
    arg_max(detail, place) as detail,
    max(occurred_at) as last_at
from said
group by tenant_id, posting_id
