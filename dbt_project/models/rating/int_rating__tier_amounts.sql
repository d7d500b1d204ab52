-- The price of every unit row, tier by tier: the one rating model behind all pricing models.
with

units as (

    select * from {{ ref('int_rating__units') }}
    where priced_quantity is not null

),

tiers as (

    select * from {{ ref('int_rating__tiers') }}

),

event_fees as (

    select * from {{ ref('int_rating__event_fees') }}

),

reached as (

    select
        units.*,
        tiers.mode,
        tiers.tier,
        tiers.lower_bound,
        tiers.upper_bound,
        tiers.unit_price,
        tiers.flat_fee,
        tiers.package_size,
        tiers.per,
        -- A flat fee is due once its tier is reached, also at zero usage in the first one; a correction earns none.
        units.is_peak and units.priced_quantity >= 0 as owes_flat_fee,
        case
            when tiers.mode = 'volume' or units.priced_quantity < 0 then units.priced_quantity
            else least(units.priced_quantity, coalesce(tiers.upper_bound, units.priced_quantity)) - tiers.lower_bound
        end as tier_units
    from units
    inner join tiers on units.price_key = tiers.price_key
    where
        case
            when tiers.mode = 'volume'
                then (tiers.tier = 1 or units.peak_quantity * units.direction > tiers.lower_bound)
                    and (tiers.upper_bound is null or units.peak_quantity * units.direction <= tiers.upper_bound)
            else tiers.tier = 1 or units.priced_quantity > tiers.lower_bound
        end
        and not (units.priced_quantity = 0 and units.peak_quantity <= 0 and coalesce(not units.charge_at_zero, false))

),

counted as (

    select
        *,
        case
            when package_size is null then tier_units
            -- Started packages; those of a correction are counted toward zero.
            else try(cast(
                ({{ to_scaled('tier_units', 10) }} + case when tier_units > 0 then {{ to_scaled('package_size', 10) }} - 1 else 0 end)
                // {{ to_scaled('package_size', 10) }} as decimal(28, 10)
            ))
        end as priced_units
    from reached

),

multiplied as (

    select
        *,
        case
            when per = 1 then {{ multiply_exact('priced_units', 'unit_price') }}
            else try(cast({{ from_scaled(
                divide_half_up(
                    '(' ~ to_scaled('try(cast(' ~ multiply_exact('priced_units', 'unit_price') ~ ' as decimal(38, 12)))', 12) ~ ' * 10000000000)',
                    to_scaled('per', 10)
                ), 12) }} as {{ exact_amount() }}))
        end as units_amount
    from counted

)

select
    multiplied.tenant_id,
    multiplied.pricing_key,
    multiplied.dimension_values,
    multiplied.bucket_label,
    multiplied.part_no,
    multiplied.model,
    multiplied.tier,
    multiplied.lower_bound,
    multiplied.upper_bound,
    multiplied.unit_price,
    multiplied.flat_fee,
    multiplied.package_size,
    multiplied.per,
    case
        when multiplied.share_units = multiplied.share_total then try(cast(coalesce(event_fees.billed_amount, multiplied.tier_units) as decimal(28, 10)))
        else cast({{ prorate('multiplied.tier_units', 'multiplied.share_units', 'multiplied.share_total') }} as decimal(28, 10))
    end * multiplied.direction as units,
    multiplied.direction * try(cast(case
        when multiplied.model = 'dynamic' then multiplied.amount_sum
        when event_fees.pricing_key is not null then event_fees.amount_exact
        -- Every event of a percentage price is behind it, or none of those that have a fee of their own.
        when multiplied.model = 'percentage' and coalesce(multiplied.free_events, multiplied.free_amount, multiplied.event_minimum, multiplied.event_maximum) is not null then 0
        when multiplied.model = 'percentage' and multiplied.priced_quantity >= 0
            then multiplied.units_amount + coalesce(multiplied.fixed_fee, 0) * multiplied.value_count
        else {{ prorate('multiplied.units_amount', 'multiplied.share_units', 'multiplied.share_total') }}
            + case when multiplied.owes_flat_fee then multiplied.flat_fee else 0 end
    end as {{ exact_amount() }})) as amount_exact
from multiplied
left join event_fees
    on
        multiplied.pricing_key = event_fees.pricing_key
        and multiplied.dimension_values = event_fees.dimension_values
        and multiplied.bucket_label is not distinct from event_fees.bucket_label
