-- The meters of every price book version.
with

books as (

    select * from {{ ref('stg_ratehouse__price_books') }}

),

entries as (

    select
        tenant_id,
        price_book,
        unnest({{ json_entries('document', 'meters') }}) as entry
    from books

)

select
    tenant_id,
    price_book,
    entry.key as meter,
    {{ json_text('entry.value', 'event_type') }} as event_type,
    {{ json_text('entry.value', 'aggregation') }} as aggregation,
    {{ json_text('entry.value', 'property') }} as property,
    {{ json_text('entry.value', 'operation_property') }} as operation_property,
    {{ json_text('entry.value', 'reading') }} as reading,
    {{ json_text('entry.value', 'per') }} as per,
    cast({{ json_text('entry.value', 'persistent') }} as boolean) as persistent,
    {{ json_text('entry.value', 'window') }} as meter_window,
    {{ json_text('entry.value', 'over_windows') }} as over_windows,
    cast({{ json_text('entry.value', 'multiply_by') }} as decimal(28, 12)) as multiply_by,
    {{ json_text('entry.value', 'round_each.mode') }} as round_each_mode,
    cast({{ json_text('entry.value', 'round_each.digits') }} as integer) as round_each_digits,
    {{ json_text('entry.value', 'round_quantity.mode') }} as round_mode,
    cast({{ json_text('entry.value', 'round_quantity.digits') }} as integer) as round_digits,
    list_sort(cast({{ json_part('entry.value', 'dimensions') }} as varchar [])) as dimensions,
    -- Both filters as lists, so that one expression tests any number of conditions.
    map_entries(cast({{ json_part('entry.value', 'where') }} as map(varchar, varchar []))) as accepts,
    list_transform(
        cast({{ json_part('entry.value', 'where_not') }} as json []),
        lambda condition: map_entries(cast(condition as map(varchar, varchar [])))
    ) as refuses
from entries
