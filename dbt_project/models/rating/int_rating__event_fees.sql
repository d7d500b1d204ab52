-- Percentage prices that look at each event: free events and free amounts, a minimum and a maximum per event.
-- Events in order of (occurred_at, event id); the free limit that is reached first stops both.
with

units as (

    select * from {{ ref('int_rating__units') }}
    where
        model = 'percentage'
        and coalesce(free_events, free_amount, event_minimum, event_maximum) is not null

),

placed as (

    select * from {{ ref('int_metering__placed_states') }}

),

events as (

    select
        units.pricing_key,
        units.dimension_values,
        units.bucket_label,
        units.percent,
        coalesce(units.fixed_fee, 0) as fixed_fee,
        units.free_events,
        units.free_amount,
        units.event_minimum,
        units.event_maximum,
        placed.value_sum as amount,
        row_number() over sequence as event_no,
        coalesce(sum(placed.value_sum) over (
            partition by units.pricing_key, units.dimension_values, units.bucket_label
            order by placed.latest_at, placed.item
            rows between unbounded preceding and 1 preceding
        ), 0) as amount_before
    from units
    inner join placed
        on
            units.pricing_key = placed.slice_id
            and units.dimension_values = placed.dimension_values
            and (units.bucket_label is null or units.bucket_label = placed.bucket_label)
    where placed.value_sum is not null
    window sequence as (
        partition by units.pricing_key, units.dimension_values, units.bucket_label
        order by placed.latest_at, placed.item
    )

),

freed as (

    select
        *,
        cast(case
            when free_events is null and free_amount is null then 0
            when event_no > free_events then 0
            when free_amount is null then amount
            else least(amount, greatest(free_amount - amount_before, 0))
        end as decimal(28, 10)) as free_part,
        coalesce(free_events is not null or free_amount is not null, false)
        and coalesce(event_no <= free_events, true)
        and coalesce(amount_before + amount <= free_amount, true) as is_free
    from events

),

priced as (

    select
        *,
        cast(amount - free_part as decimal(28, 10)) as billed_amount,
        try({{ multiply_exact('amount - free_part', 'cast(percent * cast(0.01 as decimal(3, 2)) as decimal(28, 12))') }} + fixed_fee) as fee
    from freed
    where not is_free

),

limited as (

    select
        *,
        case when fee is not null then least(greatest(fee, event_minimum), coalesce(event_maximum, greatest(fee, event_minimum))) end as owed_fee
    from priced

)

select
    pricing_key,
    dimension_values,
    bucket_label,
    sum(billed_amount) as billed_amount,
    {{ sum_exact('owed_fee') }} as amount_exact
from limited
group by pricing_key, dimension_values, bucket_label
