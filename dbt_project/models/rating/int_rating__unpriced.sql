-- Usage that waits for a price: no price matches its group (unmatched_price), it lies beyond a bounded last tier (no_tier),
-- or its amount does not fit (amount_overflow).
with

units as (

    select * from {{ ref('int_rating__units') }}

),

tiers as (

    select * from {{ ref('int_rating__tiers') }}
    where is_last and upper_bound is not null

),

items as (

    select * from {{ ref('int_rating__items') }}

),

slices as (

    select
        tenant_id,
        slice_id,
        pricing_key
    from {{ ref('int_proration__service_spans') }}
    where is_begun
    union all
    select
        tenant_id,
        slice_id,
        pricing_key
    from {{ ref('int_proration__checkpoints') }}

),

quantities as (

    select
        pricing_key,
        count(quantity) < count(*) as is_unknown,
        sum(abs(quantity)) as quantity
    from units
    group by pricing_key

),

-- How large an amount is needs no fraction.
amounts as (

    select
        pricing_key,
        count(amount_exact) < count(*) as is_unknown,
        sum(abs(cast(trunc(amount_exact) as hugeint))) as amount
    from {{ ref('int_rating__tier_amounts') }}
    group by pricing_key

),

-- An amount is multiplied by its share of the cycle, and by what a discount leaves of it, before it is divided: all of that
-- has to fit, with room for the sum of all lines.
sizes as (

    select
        items.pricing_key,
        quantities.is_unknown or coalesce(amounts.is_unknown, false) as is_unknown,
        quantities.quantity,
        greatest(amounts.amount, cast(items.minimum as hugeint), cast(items.maximum as hugeint), 0) as amount,
        greatest(
            items.service_units,
            items.cycle_units,
            case when items.discount_percent is not null then {{ 100 * 10 ** 12 }} end
        ) as multiplier
    from items
    inner join quantities on items.pricing_key = quantities.pricing_key
    left join amounts on items.pricing_key = amounts.pricing_key

),

overflowing as (

    select pricing_key
    from sizes
    where
        is_unknown
        or quantity >= {{ 10 ** 18 }}
        or amount >= {{ 10 ** 15 }}
        or amount * multiplier >= {{ 8 * 10 ** 25 }}

),

found as (

    select distinct
        tenant_id,
        pricing_key,
        dimension_values,
        'unmatched_price' as status
    from units
    where is_unmatched
    union all
    select distinct
        units.tenant_id,
        units.pricing_key,
        units.dimension_values,
        'no_tier' as status
    from units
    inner join tiers on units.price_key = tiers.price_key
    where units.priced_quantity > tiers.upper_bound
    union all
    select distinct
        units.tenant_id,
        units.pricing_key,
        units.dimension_values,
        'amount_overflow' as status
    from units
    inner join overflowing on units.pricing_key = overflowing.pricing_key

)

select
    found.*,
    slices.slice_id
from found
inner join slices
    on
        found.tenant_id = slices.tenant_id
        and found.pricing_key = slices.pricing_key
