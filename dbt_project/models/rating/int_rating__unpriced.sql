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

amounts as (

    select * from {{ ref('int_rating__tier_amounts') }}
    where amount_exact is null

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
    tenant_id,
    slice_id,
    dimension_values,
    'amount_overflow' as status
from amounts
