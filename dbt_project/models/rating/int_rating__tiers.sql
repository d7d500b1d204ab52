-- All pricing models as one shape: a tier table and a mode. A price without tiers is one tier without an upper bound.
--   graduated  each part of the quantity is priced by the tier it lies in
--   volume     the whole quantity is priced by the one tier that holds it
with

prices as (

    select * from {{ ref('int_rating__prices') }}

),

listed as (

    select
        price_key,
        model,
        price_factor,
        per as price_per,
        unnest(cast(tiers as json [])) as tier
    from prices
    where tiers is not null

),

tiered as (

    select
        price_key,
        model,
        price_factor,
        cast({{ json_text('tier', 'position') }} as integer) + 1 as tier,
        cast({{ json_text('tier', 'up_to') }} as decimal(28, 10)) as upper_bound,
        case model
            when 'stairstep' then cast(0 as decimal(28, 12))
            when 'graduated_percentage' then cast(cast({{ json_text('tier', 'percent') }} as decimal(28, 12)) * cast(0.01 as decimal(3, 2)) as decimal(28, 12))
            else cast({{ json_text('tier', 'unit_price') }} as decimal(28, 12))
        end as unit_price,
        case model
            when 'stairstep' then cast({{ json_text('tier', 'amount') }} as decimal(28, 12))
            else cast({{ json_text('tier', 'flat_fee') }} as decimal(28, 12))
        end as flat_fee,
        cast({{ json_text('tier', 'package_size') }} as decimal(28, 10)) as package_size,
        -- A tier may be priced per so many units of its own; else as the price is.
        coalesce(cast({{ json_text('tier', 'per') }} as decimal(28, 10)), price_per) as per
    from listed

),

untiered as (

    select
        price_key,
        model,
        price_factor,
        1 as tier,
        cast(null as decimal(28, 10)) as upper_bound,
        case
            -- A flat fee is a price per subscription quantity (one by default), and of usage simply a fee.
            when model = 'flat' and type <> 'usage' then amount
            when model = 'flat' then 0
            when model = 'package' then package_price
            when model = 'percentage' then cast(percent * cast(0.01 as decimal(3, 2)) as decimal(28, 12))
            when model = 'dynamic' then 1
            else unit_price
        end as unit_price,
        case when model = 'flat' and type = 'usage' then amount else 0 end as flat_fee,
        case when model = 'package' then package_size end as package_size,
        per
    from prices
    where tiers is null

),

all_tiers as (

    select * from tiered
    union all
    select * from untiered

)

select
    price_key,
    model,
    case when model in ('volume', 'stairstep') then 'volume' else 'graduated' end as mode,
    tier,
    coalesce(lag(upper_bound) over (partition by price_key order by tier), 0) as lower_bound,
    upper_bound,
    {{ factored('unit_price') }} as unit_price,
    {{ factored('flat_fee') }} as flat_fee,
    package_size,
    coalesce(per, 1) as per,
    tier = max(tier) over (partition by price_key) as is_last
from all_tiers
