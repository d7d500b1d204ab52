-- The offset of every zone in use from UTC over time: local time = instant + utc_offset. One row per span of one offset,
-- so that an event's local day is an addition and not a calendar look-up.
with

customers as (

    select distinct timezone from {{ ref('int_subscriptions__customers') }}

),

horizon as (

    select
        cast(min(starts_at) as date) - 2 as first_day,
        cast((select max(billing_as_of) from {{ ref('stg_ratehouse__tenant_clocks') }}) as date) + 400 as last_day
    from {{ ref('int_subscriptions__terms') }}

),

days as (

    select
        customers.timezone,
        cast(days.day as timestamp with time zone) as day_at
    from customers
    cross join (
        select unnest(range(cast(first_day as timestamp), cast(last_day as timestamp), interval 1 day)) as day
        from horizon
    ) as days

),

offsets as (

    select
        timezone,
        day_at,
        epoch_us(timezone(timezone, day_at)) - epoch_us(day_at) as offset_us,
        epoch_us(timezone(timezone, day_at + interval 1 day)) - epoch_us(day_at + interval 1 day) as next_offset_us
    from days

),

-- A change of offset is looked for, by the quarter of an hour, only inside a day that has one.
instants as (

    select
        timezone,
        day_at as instant,
        offset_us
    from offsets
    union all
    select
        timezone,
        quarter as instant,
        epoch_us(timezone(timezone, quarter)) - epoch_us(quarter) as offset_us
    from (
        select
            timezone,
            unnest(range(day_at + interval 15 minute, day_at + interval 1 day, interval 15 minute)) as quarter
        from offsets
        where offset_us <> next_offset_us
    )

),

changes as (

    select
        timezone,
        instant,
        offset_us,
        lag(offset_us) over (partition by timezone order by instant) is distinct from offset_us as is_change
    from instants

)

select
    timezone,
    instant as starts_at,
    lead(instant) over (partition by timezone order by instant) as ends_at,
    offset_us
from changes
where is_change
