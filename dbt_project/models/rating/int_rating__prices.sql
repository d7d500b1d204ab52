-- The prices of a charge, one row a currency and condition; the first that matches a group of usage prices it.
with

charges as (

    select * from {{ ref('int_rating__charges') }}

),

entries as (

    select
        charge_key,
        type,
        price_factor,
        unnest(cast(prices as json [])) as price
    from charges

)

select
    charge_key,
    type,
    price_factor,
    charge_key || '-' || {{ json_text('price', 'position') }} as price_key,
    cast({{ json_text('price', 'position') }} as integer) as position,
    {{ json_text('price', 'currency') }} as currency,
    {{ json_part('price', 'when') }} as condition,
    {{ json_text('price', 'model') }} as model,
    cast({{ json_text('price', 'percent') }} as decimal(28, 12)) as percent,
    cast({{ json_text('price', 'fixed_fee') }} as decimal(28, 12)) as fixed_fee,
    cast({{ json_text('price', 'free_events') }} as decimal(28, 10)) as free_events,
    cast({{ json_text('price', 'free_amount') }} as decimal(28, 12)) as free_amount,
    cast({{ json_text('price', 'event_minimum') }} as decimal(28, 12)) as event_minimum,
    cast({{ json_text('price', 'event_maximum') }} as decimal(28, 12)) as event_maximum,
    {{ json_text('price', 'amount_property') }} as amount_property,
    cast({{ json_text('price', 'amount') }} as decimal(28, 12)) as amount,
    cast({{ json_text('price', 'unit_price') }} as decimal(28, 12)) as unit_price,
    cast({{ json_text('price', 'package_size') }} as decimal(28, 10)) as package_size,
    cast({{ json_text('price', 'package_price') }} as decimal(28, 12)) as package_price,
    cast({{ json_text('price', 'per') }} as decimal(28, 10)) as per,
    {{ json_part('price', 'tiers') }} as tiers
from entries
