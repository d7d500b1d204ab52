-- For usage charges prorated by day: every level that a persistent meter ran through in a slice, and for how many days of the
-- cycle it is paid. A change is weighted by the days left, its own day included, so a level is paid from the day it is
-- reached to the day before the next change.
with

slices as (

    select * from {{ ref('int_metering__measured_slices') }}
    where prorate_usage = 'day'

),

groups as (

    select distinct
        slice_id,
        dimension_values
    from {{ ref('int_metering__windows') }}

),

placed as (

    select * from {{ ref('int_metering__placed_states') }}

),

running as (

    select * from {{ ref('int_metering__running_levels') }}

),

-- The level that the slice starts with is a change on its first day.
starting as (

    select
        slices.slice_id,
        groups.dimension_values,
        0 as change_no,
        slices.service_start as local_day,
        coalesce(max_by(running.level, running.latest_order), 0) as level
    from slices
    inner join groups on slices.slice_id = groups.slice_id
    left join running
        on
            slices.tenant_id = running.tenant_id
            and slices.subscription_id = running.subscription_id
            and slices.meter = running.meter
            and slices.amount_property = running.amount_property
            and groups.dimension_values = running.dimension_values
            and slices.service_start_at > running.latest_at
    group by all

),

changes as (

    select
        placed.slice_id,
        placed.dimension_values,
        row_number() over sequence as change_no,
        placed.local_day,
        starting.level + sum(coalesce(placed.value_sum, 0)) over sequence as level
    from placed
    inner join starting
        on
            placed.slice_id = starting.slice_id
            and placed.dimension_values = starting.dimension_values
    window sequence as (
        partition by placed.slice_id, placed.dimension_values order by placed.latest_order
        rows between unbounded preceding and current row
    )

),

levels as (

    select * from starting
    union all
    select * from changes

)

select
    slices.tenant_id,
    levels.slice_id,
    levels.dimension_values,
    levels.change_no,
    -- Null where it does not fit: then the quantity is unknown, and its line waits.
    try(cast(levels.level as decimal(28, 10))) as level,
    datediff('day', levels.local_day, coalesce(
        lead(levels.local_day) over (partition by levels.slice_id, levels.dimension_values order by levels.change_no),
        slices.service_end
    )) as held_days,
    slices.cycle_days
from levels
inner join slices on levels.slice_id = slices.slice_id
