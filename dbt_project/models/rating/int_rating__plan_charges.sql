-- The charges of every plan, as every version of the price book defines them. A minimum commitment is a charge of its own, trued up at
-- the period's end, and no rate card replaces it.
with

plans as (

    select * from {{ ref('int_rating__plans') }}

),

entries as (

    select
        *,
        unnest(map_entries(cast(charges as map(varchar, json)))) as entry
    from plans

),

complete as (

    select
        tenant_id,
        price_book,
        plan,
        name as plan_name,
        trial_usage,
        entry.key as charge,
        cast(entry.value as varchar) as definition,
        true as is_negotiable
    from entries
    union all
    select
        tenant_id,
        price_book,
        plan,
        name as plan_name,
        trial_usage,
        'minimum' as charge,
        cast(json_object(
            'position', '9000', 'type', 'minimum', 'timing', 'arrears', 'splits', 'false', 'commitment', minimum_commitment,
            'proration', case when {{ json_text('minimum_commitment', 'prorate') }} = 'false' then 'none' else 'inherit' end
        ) as varchar) as definition,
        false as is_negotiable
    from plans
    where minimum_commitment is not null

)

select
    *,
    md5(definition) as charge_key
from complete
