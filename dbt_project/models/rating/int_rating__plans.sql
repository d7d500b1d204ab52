with

books as (

    select * from {{ ref('stg_ratehouse__price_books') }}

),

entries as (

    select
        tenant_id,
        price_book,
        unnest({{ json_entries('document', 'plans') }}) as entry
    from books

)

select
    tenant_id,
    price_book,
    entry.key as plan,
    {{ json_text('entry.value', 'name') }} as name,
    {{ json_text('entry.value', 'interval') }} as interval,
    cast({{ json_text('entry.value', 'interval_count') }} as integer) as interval_count,
    {{ json_text('entry.value', 'anchor') }} as anchor,
    cast({{ json_text('entry.value', 'trial_days') }} as integer) as trial_days,
    {{ json_text('entry.value', 'trial_usage') }} as trial_usage,
    {{ json_text('entry.value', 'trial') }} as trial,
    {{ json_part('entry.value', 'minimum_commitment') }} as minimum_commitment,
    {{ json_part('entry.value', 'bill_at_usage') }} as bill_at_usage,
    {{ json_part('entry.value', 'features') }} as features,
    {{ json_part('entry.value', 'charges') }} as charges
from entries
