-- The intervals that a slice is measured over, for each of its groups: the whole slice, or every local day or hour of it.
-- A day of 23 or 25 hours has that many hours, and a first window may be short.
with

slices as (

    select * from {{ ref('int_metering__measured_slices') }}

),

placed as (

    select distinct
        slice_id,
        dimension_values
    from {{ ref('int_metering__placed_states') }}

),

running as (

    select
        tenant_id,
        subscription_id,
        meter,
        dimension_values,
        min(latest_at) as first_at
    from {{ ref('int_metering__running_levels') }}
    group by all

),

-- The groups that a slice has: those used in it, and those whose level it starts with.
used_groups as (

    select
        slice_id,
        dimension_values
    from placed
    union
    select
        slices.slice_id,
        running.dimension_values
    from slices
    inner join running
        on
            slices.tenant_id = running.tenant_id
            and slices.subscription_id = running.subscription_id
            and slices.meter = running.meter
            and slices.service_start_at > running.first_at
    where slices.persistent and slices.splits = (running.dimension_values <> '')

),

-- No usage at all is still a row, without dimensions.
slice_groups as (

    select
        slices.*,
        coalesce(used_groups.dimension_values, '') as dimension_values
    from slices
    left join used_groups on slices.slice_id = used_groups.slice_id

),

days as (

    select
        * exclude (day),
        cast(day as timestamp with time zone) as day,
        {{ start_of_day('day', 'timezone') }} as day_start_at,
        {{ start_of_day('day + interval 1 day', 'timezone') }} as day_end_at
    from (
        select
            *,
            unnest(range(cast(service_start as timestamp), cast(service_end as timestamp), interval 1 day)) as day
        from slice_groups
        where bucket is not null
    )

),

hours as (

    select
        *,
        unnest(range(day_start_at, day_end_at, interval 1 hour)) as hour
    from days
    where bucket = 'hour'

),

windows as (

    select
        *,
        cast(null as timestamp with time zone) as bucket_label,
        service_start_at as window_start_at,
        service_end_at as window_end_at
    from slice_groups
    where bucket is null
    union all
    select
        * exclude (day, day_start_at, day_end_at),
        day as bucket_label,
        greatest(day_start_at, service_start_at) as window_start_at,
        least(day_end_at, service_end_at) as window_end_at
    from days
    where bucket = 'day'
    union all
    select
        * exclude (day, day_start_at, day_end_at, hour),
        hour as bucket_label,
        greatest(hour, service_start_at) as window_start_at,
        least(hour + interval 1 hour, service_end_at) as window_end_at
    from hours

)

select
    *,
    greatest(least(window_end_at, measured_until), window_start_at) as known_until
from windows
where
    window_start_at < window_end_at
    and (bucket is null or window_start_at <= measured_until)
