with

tiers as (

    select
        pricing_key,
        dimension_values,
        tier,
        min(lower_bound) as lower_bound,
        min(upper_bound) as up_to,
        min(unit_price) as unit_price,
        min(flat_fee) as flat_fee,
        min(package_size) as package_size,
        min(per) as per,
        sum(units) as units,
        sum(amount_exact) as amount_exact
    from {{ ref('int_rating__tier_amounts') }}
    group by pricing_key, dimension_values, tier

),

rated as (

    select * from {{ ref('int_rating__rated') }}
    where checkpoint_on is null

)

select
    rated.tenant_id,
    rated.rated_id,
    rated.customer_id,
    rated.subscription_id,
    rated.plan,
    rated.charge,
    rated.dimensions,
    rated.service_start,
    rated.service_end,
    tiers.tier,
    tiers.lower_bound,
    tiers.up_to,
    cast(tiers.units as decimal(28, 10)) as units,
    tiers.unit_price,
    cast(tiers.flat_fee as decimal(28, 12)) as flat_fee,
    tiers.package_size,
    tiers.per,
    cast(tiers.amount_exact as {{ exact_amount() }}) as amount_exact,
    rated.currency
from rated
inner join tiers
    on
        rated.pricing_key = tiers.pricing_key
        and rated.dimensions = tiers.dimension_values
