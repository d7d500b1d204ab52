-- The quantity of every usage slice, by group of dimensions, and by window where the charge prices windows.
-- Averages and time-weighted quantities are exact ratios, rounded once to ten decimals, half up. A quantity that does not fit
-- is null: int_rating__unpriced makes its line wait.
with

windows as (

    select * from {{ ref('int_metering__windows') }}

),

placed as (

    select * from {{ ref('int_metering__placed_states') }}

),

running as (

    select * from {{ ref('int_metering__running_levels') }}

),

merged as (

    select
        slice_id,
        dimension_values,
        bucket_label,
        sum(event_count) as event_count,
        sum(skipped_values) as skipped_values,
        sum(value_count) as value_count,
        sum(value_sum) as value_sum,
        max(value_max) as value_max,
        min(value_min) as value_min,
        sum(amount_sum) as amount_sum,
        {{ sum_exact_area('value_moment') }} as value_moment,
        arg_max(latest_value, latest_order) filter (where latest_value is not null) as latest_value
    from placed
    group by slice_id, dimension_values, bucket_label

),

-- What a level stood at when the window began.
carried as (

    select
        windows.slice_id,
        windows.dimension_values,
        windows.bucket_label,
        running.level,
        running.latest_value
    from windows
    asof inner join running
        on
            windows.tenant_id = running.tenant_id
            and windows.subscription_id = running.subscription_id
            and windows.meter = running.meter
            and windows.amount_property = running.amount_property
            and windows.dimension_values = running.dimension_values
            and windows.window_start_at > running.latest_at
    where windows.persistent

),

-- The last word on each member: inside the window, or since the start where the set carries.
window_members as (

    select
        windows.slice_id,
        windows.dimension_values,
        windows.bucket_label,
        placed.item,
        arg_max(placed.latest_operation, placed.latest_order) as latest_operation
    from windows
    inner join placed
        on
            windows.slice_id = placed.slice_id
            and windows.dimension_values = placed.dimension_values
            and windows.bucket_label is not distinct from placed.bucket_label
    where windows.aggregation = 'unique_count' and not windows.persistent and placed.item is not null
    group by all
    union all
    select
        windows.slice_id,
        windows.dimension_values,
        windows.bucket_label,
        running.item,
        arg_max(running.latest_operation, running.latest_order) as latest_operation
    from windows
    inner join running
        on
            windows.tenant_id = running.tenant_id
            and windows.subscription_id = running.subscription_id
            and windows.meter = running.meter
            and windows.dimension_values = running.dimension_values
            and windows.window_end_at > running.latest_at
    where windows.aggregation = 'unique_count' and windows.persistent and running.item is not null
    group by all

),

members as (

    select
        slice_id,
        dimension_values,
        bucket_label,
        count(*) filter (where latest_operation is distinct from 'remove') as members
    from window_members
    group by slice_id, dimension_values, bucket_label

),

-- Readings of a level: each holds until the next one.
readings as (

    select
        windows.slice_id,
        windows.dimension_values,
        windows.bucket_label,
        windows.window_start_at,
        placed.latest_value as reading,
        placed.latest_at as read_at,
        coalesce(lead(placed.latest_at) over sequence, windows.known_until) as until_at
    from windows
    inner join placed
        on
            windows.slice_id = placed.slice_id
            and windows.dimension_values = placed.dimension_values
            and windows.bucket_label is not distinct from placed.bucket_label
    where windows.aggregation = 'time_weighted' and windows.reading = 'level' and placed.latest_value is not null
    window sequence as (
        partition by windows.slice_id, windows.dimension_values, windows.bucket_label order by placed.latest_order
    )

),

reading_areas as (

    select
        slice_id,
        dimension_values,
        bucket_label,
        {{ sum_exact_area('try(reading * (epoch_us(until_at) - epoch_us(read_at)))') }} as area,
        epoch_us(min(read_at)) - epoch_us(any_value(window_start_at)) as carried_us
    from readings
    group by slice_id, dimension_values, bucket_label

),

measured as (

    select
        windows.*,
        coalesce(merged.event_count, 0) as event_count,
        coalesce(merged.skipped_values, 0) as skipped_values,
        coalesce(merged.amount_sum, 0) as amount_sum,
        merged.slice_id is not null as has_usage,
        coalesce(merged.value_sum, 0) as value_sum,
        coalesce(merged.value_count, 0) as value_count,
        merged.value_max,
        merged.value_min,
        coalesce(merged.latest_value, carried.latest_value) as latest_value,
        carried.latest_value as carried_value,
        coalesce(carried.level, 0) as carried_level,
        coalesce(members.members, 0) as members,
        epoch_us(windows.known_until) - epoch_us(windows.window_start_at) as window_us,
        case
            when windows.aggregation = 'time_weighted' and windows.reading = 'level'
                then try(case when reading_areas.slice_id is null then 0 else reading_areas.area end
                    + coalesce(carried.latest_value, 0)
                    * coalesce(reading_areas.carried_us, epoch_us(windows.known_until) - epoch_us(windows.window_start_at)))
            when windows.aggregation = 'time_weighted'
                then try(coalesce(merged.value_sum, 0) * (epoch_us(windows.known_until) - epoch_us(windows.service_start_at))
                    - case when merged.slice_id is null then 0 else merged.value_moment end
                    + coalesce(carried.level, 0) * (epoch_us(windows.known_until) - epoch_us(windows.window_start_at)))
        end as area_us
    from windows
    left join merged
        on
            windows.slice_id = merged.slice_id
            and windows.dimension_values = merged.dimension_values
            and windows.bucket_label is not distinct from merged.bucket_label
    left join carried
        on
            windows.slice_id = carried.slice_id
            and windows.dimension_values = carried.dimension_values
            and windows.bucket_label is not distinct from carried.bucket_label
    left join members
        on
            windows.slice_id = members.slice_id
            and windows.dimension_values = members.dimension_values
            and windows.bucket_label is not distinct from members.bucket_label
    left join reading_areas
        on
            windows.slice_id = reading_areas.slice_id
            and windows.dimension_values = reading_areas.dimension_values
            and windows.bucket_label is not distinct from reading_areas.bucket_label

),

aggregated as (

    select
        *,
        case aggregation
            when 'count' then value_sum
            when 'sum' then value_sum + case when persistent then carried_level else 0 end
            when 'max' then coalesce(greatest(value_max, case when persistent then carried_value end), 0)
            when 'min' then coalesce(least(value_min, case when persistent then carried_value end), 0)
            when 'latest' then coalesce(latest_value, 0)
            when 'average' then case when value_count = 0 then 0 else {{ divide_by_integer('value_sum', 'value_count') }} end
            when 'unique_count' then members
            when 'time_weighted' then try({{ divide_by_integer('area_us', "case per
                when 'hour' then 3600000000
                when 'day' then 86400000000
                when 'second' then 1000000
                else epoch_us(window_end_at) - epoch_us(window_start_at)
            end") }})
        end as window_quantity
    from measured

),

-- A window of the meter is folded into one quantity; a window of the charge stays a quantity of its own.
folded as (

    select
        slice_id,
        dimension_values,
        case when prices_windows then bucket_label end as bucket_label,
        any_value(tenant_id) as tenant_id,
        any_value(round_mode) as round_mode,
        any_value(round_digits) as round_digits,
        sum(event_count) as event_count,
        sum(skipped_values) as skipped_values,
        sum(value_count) as value_count,
        sum(amount_sum) as amount_sum,
        bool_or(has_usage) as has_usage,
        bool_or(prices_empty_windows) as prices_empty_windows,
        case
            when count(window_quantity) < count(*) then null
            when any_value(bucket) is null or any_value(prices_windows) or any_value(over_windows) = 'sum'
                then sum(window_quantity)
            when any_value(over_windows) = 'average'
                then {{ divide_by_integer('sum(window_quantity)', 'count(*)') }}
            else max(window_quantity)
        end as window_quantity
    from aggregated
    group by slice_id, dimension_values, case when prices_windows then bucket_label end

),

fitting as (

    select
        *,
        try(cast(window_quantity as decimal(28, 10))) as exact_quantity
    from folded

)

select
    tenant_id,
    slice_id,
    dimension_values,
    bucket_label,
    event_count,
    skipped_values,
    value_count,
    cast(coalesce(amount_sum, 0) as decimal(28, 10)) as amount_sum,
    has_usage,
    case
        when round_mode is not null then try({{ round_quantity('exact_quantity', 'round_digits', 'round_mode') }})
        else exact_quantity
    end as quantity
from fitting
-- An empty window costs nothing unless the charge says that zero is priced; a level that carries is no empty window.
where bucket_label is null or has_usage or prices_empty_windows or coalesce(exact_quantity <> 0, true)
