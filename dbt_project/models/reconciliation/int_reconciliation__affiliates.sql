-- Other legal entities of the tenant's group, as the tenant itself states them.
{{ config(materialized='view') }}
select
    tenant_id,
    {{ json_text('affiliate', 'entity') }} as entity,
    upper({{ json_text('affiliate', 'number_prefix') }}) as number_prefix
from (
    select
        tenant_id,
        unnest({{ json_elements(json_part('document', 'affiliates')) }}) as affiliate
    from {{ ref('stg_ratehouse__tenants') }}
)
