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

slices as (

    select * from {{ ref('int_proration__slices') }}

),

quantities as (

    select
        slice_id,
        count(quantity) < count(*) as is_unknown,
        sum(abs(quantity)) as quantity
    from units
    group by slice_id

),

-- How large an amount is needs no fraction.
amounts as (

    select
        slice_id,
        count(amount_exact) < count(*) as is_unknown,
        sum(abs(cast(trunc(amount_exact) as hugeint))) as amount
    from {{ ref('int_rating__tier_amounts') }}
    group by slice_id

),

-- An amount is multiplied by its share of the cycle, and by what a discount leaves of it, before it is divided: all of that
-- has to fit, with room for the sum of all lines.
sizes as (

    select
        slices.slice_id,
        quantities.is_unknown or coalesce(amounts.is_unknown, false) as is_unknown,
        quantities.quantity,
        greatest(amounts.amount, cast(slices.minimum as hugeint), cast(slices.maximum as hugeint), 0) as amount,
        greatest(
            slices.service_units,
            slices.cycle_units,
            case when slices.discount_percent is not null then {{ 100 * 10 ** 12 }} end
        ) as multiplier
    from slices
    inner join quantities on slices.slice_id = quantities.slice_id
    left join amounts on slices.slice_id = amounts.slice_id

),

overflowing as (

    select slice_id
    from sizes
    where
        is_unknown
        or quantity >= {{ 10 ** 18 }}
        or amount >= {{ 10 ** 15 }}
        or amount * multiplier >= {{ 8 * 10 ** 25 }}

)

select distinct
    tenant_id,
    slice_id,
    dimension_values,
    'unmatched_price' as status
from units
where is_unmatched
union all
select distinct
    units.tenant_id,
    units.slice_id,
    units.dimension_values,
    'no_tier' as status
from units
inner join tiers on units.price_key = tiers.price_key
where units.priced_quantity > tiers.upper_bound
union all
select distinct
    units.tenant_id,
    units.slice_id,
    units.dimension_values,
    'amount_overflow' as status
from units
inner join overflowing on units.slice_id = overflowing.slice_id
