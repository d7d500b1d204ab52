-- Every distinct charge definition of a price book or a subscription, with its fields typed. One grammar for both.
with

definitions as (

    select
        charge_key,
        definition
    from {{ ref('int_rating__plan_charges') }}
    union
    select
        charge_key,
        definition
    from {{ ref('int_rating__terms_charges') }}
    where definition is not null

)

select
    charge_key,
    cast({{ json_text('definition', 'position') }} as integer) as position,
    {{ json_text('definition', 'type') }} as type,
    {{ json_text('definition', 'timing') }} as timing,
    {{ json_text('definition', 'quantity') }} as quantity_name,
    {{ json_text('definition', 'meter') }} as meter,
    cast(coalesce({{ json_text('definition', 'included') }}, '0') as decimal(28, 10)) as included,
    cast({{ json_text('definition', 'minimum') }} as decimal(28, 12)) as minimum,
    cast({{ json_text('definition', 'maximum') }} as decimal(28, 12)) as maximum,
    cast({{ json_text('definition', 'discount.percent') }} as decimal(28, 12)) as discount_percent,
    {{ json_text('definition', 'proration') }} as proration,
    {{ json_text('definition', 'prorate') }} as prorate_usage,
    {{ json_text('definition', 'negative') }} as negative,
    {{ json_text('definition', 'on_increase') }} as on_increase,
    {{ json_text('definition', 'on_decrease') }} as on_decrease,
    {{ json_text('definition', 'window') }} as charge_window,
    cast({{ json_text('definition', 'charge_at_zero') }} as boolean) as charge_at_zero,
    {{ json_text('definition', 'in') }} as pricing_unit,
    {{ json_text('definition', 'tax_code') }} as tax_code,
    {{ json_text('definition', 'description') }} as description,
    {{ json_text('definition', 'gl_account') }} as gl_account,
    coalesce(cast({{ json_text('definition', 'on_demand') }} as boolean), false) as on_demand,
    cast({{ json_text('definition', 'splits') }} as boolean) as splits,
    cast({{ json_text('definition', 'commitment.amount') }} as decimal(28, 12)) as commitment,
    cast({{ json_part('definition', 'commitment.charges') }} as varchar []) as commitment_charges,
    cast(coalesce({{ json_text('definition', 'commitment.overage_factor') }}, '1') as decimal(28, 12)) as overage_factor,
    {{ json_text('definition', 'recognise') }} as recognise,
    cast({{ json_text('definition', 'recognise_months') }} as integer) as recognise_months,
    cast({{ json_text('definition', 'ssp') }} as decimal(28, 12)) as ssp,
    coalesce(cast({{ json_text('definition', 'price_factor') }} as decimal(28, 12)), 1) as price_factor,
    coalesce({{ json_part('definition', 'prices') }}, cast('[]' as json)) as prices
from definitions
