-- The tax rates of every tenant in the order of its settings: where and since when they hold, and the code that charges name.
with

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

listed as (

    select
        tenant_id,
        unnest(cast(json_extract(document, '$.tax.rates') as json [])) as rate,
        generate_subscripts(cast(json_extract(document, '$.tax.rates') as json []), 1) as position
    from tenants
    where {{ json_text('document', 'tax.provider') }} = 'table'

)

select
    tenant_id,
    position,
    {{ json_text('rate', 'code') }} as tax_code,
    {{ json_text('rate', 'country') }} as country,
    {{ json_text('rate', 'region') }} as region,
    cast({{ json_text('rate', 'percent') }} as decimal(28, 12)) as percent,
    coalesce(cast({{ json_text('rate', 'since') }} as date), date '0001-01-01') as starts_on,
    coalesce(cast({{ json_text('rate', 'until') }} as date), date '9999-12-31') as ends_on
from listed
