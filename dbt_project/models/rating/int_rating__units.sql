-- Quantities to price: of an item, its group and window, with the price that matches it first, what is included taken
-- off, and the share of the price that is owed (a level held for some days of the cycle).
with

items as (

    select * from {{ ref('int_rating__items') }}

),

prices as (

    select * from {{ ref('int_rating__prices') }}

),

quantities as (

    select * from {{ ref('int_metering__quantities') }}

),

held as (

    select * from {{ ref('int_proration__held_levels') }}

),

usage_units as (

    select
        items.pricing_key,
        quantities.dimension_values,
        quantities.bucket_label,
        0 as part_no,
        quantities.quantity,
        quantities.event_count,
        quantities.value_count,
        quantities.amount_sum,
        1 as share_units,
        1 as share_total
    from quantities
    inner join items on quantities.slice_id = items.pricing_key
    where items.prorate_usage is distinct from 'day'

),

held_units as (

    select
        held.slice_id as pricing_key,
        held.dimension_values,
        cast(null as timestamp with time zone) as bucket_label,
        held.change_no as part_no,
        held.level as quantity,
        case when held.change_no = 0 then quantities.event_count else 0 end as event_count,
        0 as value_count,
        cast(0 as decimal(28, 10)) as amount_sum,
        held.held_days as share_units,
        held.cycle_days as share_total
    from held
    inner join quantities
        on
            held.slice_id = quantities.slice_id
            and held.dimension_values = quantities.dimension_values

),

fee_units as (

    select
        pricing_key,
        '' as dimension_values,
        cast(null as timestamp with time zone) as bucket_label,
        0 as part_no,
        quantity,
        0 as event_count,
        0 as value_count,
        cast(0 as decimal(28, 10)) as amount_sum,
        1 as share_units,
        1 as share_total
    from items
    where type in ('recurring', 'one_time')

),

units as (

    select * from usage_units
    union all
    select * from held_units
    union all
    select * from fee_units

),

matched as (

    select
        units.*,
        items.tenant_id,
        items.type,
        items.included,
        items.negative,
        items.charge_at_zero,
        prices.price_key,
        prices.model,
        prices.percent,
        prices.fixed_fee,
        prices.free_events,
        prices.free_amount,
        prices.event_minimum,
        prices.event_maximum,
        -- Nothing used needs no price.
        prices.price_key is null and not (items.splits and units.dimension_values = '') as is_unmatched
    from units
    inner join items on units.pricing_key = items.pricing_key
    left join prices
        on
            items.charge_key = prices.charge_key
            and (items.pricing_unit is not null or items.currency = prices.currency)
            and (
                prices.condition is null
                or list_bool_and(list_transform(
                    map_entries(cast(prices.condition as map(varchar, varchar))),
                    lambda test: {{ json_text_at("coalesce(nullif(units.dimension_values, ''), '{}')", 'test.key') }} is not distinct from test.value
                ))
            )
    qualify row_number() over (
        partition by units.pricing_key, units.dimension_values, units.bucket_label, units.part_no
        order by prices.position
    ) = 1

),

-- What is included is shared in the order of the groups' text.
shared as (

    select
        *,
        cast(case
            when is_unmatched then 0
            else least(greatest(quantity, 0), greatest(included - coalesce(sum(case when is_unmatched then 0 else greatest(quantity, 0) end) over (
                partition by pricing_key, bucket_label, part_no order by dimension_values
                rows between unbounded preceding and 1 preceding
            ), 0), 0))
        end as decimal(28, 10)) as included_quantity
    from matched

),

signed as (

    select
        *,
        cast(quantity - included_quantity as decimal(28, 10)) as billable
    from shared

)

select
    *,
    case
        when billable >= 0 then billable
        when negative = 'mirror' then -billable
        -- A net correction has a price only where every unit has one.
        when negative = 'credit' and model in ('per_unit', 'graduated', 'graduated_percentage', 'percentage', 'dynamic') then billable
    end as priced_quantity,
    case when billable < 0 and negative = 'mirror' then -1 else 1 end as direction,
    max(billable) over (partition by pricing_key, dimension_values, bucket_label) as peak_quantity,
    row_number() over (partition by pricing_key, dimension_values, bucket_label order by billable desc, part_no) = 1 as is_peak
from signed
