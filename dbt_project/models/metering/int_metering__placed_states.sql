-- Usage at its place: the slice that it is usage of, the group that prices it and the window that it falls into. States that
-- stand for one event or member stay apart, the others are merged: there are thousands of times fewer slices than states.
with

slices as (

    select
        *,
        row_number() over (order by slice_id) as slice_no
    from {{ ref('int_metering__measured_slices') }}

),

states as {{ not_materialized() }}(

    select * from {{ ref('int_metering__states') }}

),

placed as {{ not_materialized() }}(

    select
        slices.slice_no,
        case when slices.splits then states.dimension_values else '' end as dimension_values,
        case slices.bucket
            when 'hour' then states.hour_at
            when 'day' then cast(states.local_day as timestamp with time zone)
        end as bucket_label,
        states.local_day,
        states.item,
        states.event_count,
        states.skipped_values,
        states.value_count,
        states.value_sum,
        states.value_max,
        states.value_min,
        states.amount_sum,
        states.latest_value,
        states.latest_operation,
        states.latest_at,
        states.latest_order,
        -- Σ value · microseconds since the slice's start.
        case
            when slices.aggregation = 'time_weighted'
                then try(cast(states.value_sum * (epoch_us(cast(states.local_day as timestamp)) - epoch_us(slices.service_start_at)) as decimal(38, 10)))
                    + states.value_moment
        end as value_moment
    from slices
    inner join states
        on
            slices.tenant_id = states.tenant_id
            and slices.subscription_id = states.subscription_id
            and slices.price_book = states.price_book
            and slices.meter = states.meter
            and slices.amount_property = states.amount_property
            and slices.first_terms_no <= states.terms_no
            and slices.last_terms_no >= states.terms_no
            and slices.period_start <= states.local_day
            and slices.last_day >= states.local_day

),

-- Grouped by number, named afterwards: a number is a quarter of an id to hash, and there are millions of states.
merged as (

    select
        slice_no,
        dimension_values,
        bucket_label,
        '' as item,
        cast(sum(event_count) as bigint) as event_count,
        cast(sum(skipped_values) as bigint) as skipped_values,
        cast(sum(value_count) as bigint) as value_count,
        sum(value_sum) as value_sum,
        max(value_max) as value_max,
        min(value_min) as value_min,
        sum(amount_sum) as amount_sum,
        arg_max(latest_value, latest_order) filter (where latest_value is not null) as latest_value,
        max(latest_at) as latest_at,
        max(latest_order) as latest_order,
        sum(value_moment) as value_moment
    from placed
    where item = ''
    group by slice_no, dimension_values, bucket_label

),

kept as (

    select *
    from placed
    where item <> '' or item is null
    union all by name
    select * from merged

)

select
    slices.tenant_id,
    slices.slice_id,
    kept.* exclude (slice_no)
from kept
inner join slices on kept.slice_no = slices.slice_no
