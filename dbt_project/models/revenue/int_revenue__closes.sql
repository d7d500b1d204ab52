-- From which day a fact may post, by when it was learned: what is learned after a month was closed posts no earlier than the first open
-- month, `opens_on`.
with

closes as (

    select * from {{ ref('stg_ratehouse__closed_periods') }}

),

opened as (

    select
        tenant_id,
        known_as_of as learned_after,
        max(max(cast(last_day(cast(period || '-01' as date)) + 1 as date))) over history as opens_on
    from closes
    group by tenant_id, known_as_of
    window history as (partition by tenant_id order by known_as_of)

)

select
    tenant_id,
    learned_after,
    coalesce(
        lead(learned_after) over (partition by tenant_id order by learned_after),
        cast('9999-12-31' as timestamp with time zone)
    ) as learned_until,
    opens_on
from opened
