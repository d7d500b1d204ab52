-- Not by known_as_of: a quote answers the content that its hash names, whenever it was asked for, and a run that is reproduced has the
-- same answer. The first answer counts, and an answer before a refusal.
with

tax_quotes as (

    select * from {{ source('raw', 'tax_quotes') }}

)

select
    tenant_id,
    request_hash,
    provider,
    customer_id,
    coalesce(status, 'quoted') as status,
    detail,
    request,
    response,
    quoted_at,
    recorded_at
from tax_quotes
qualify row_number() over (
    partition by tenant_id, request_hash
    order by
        case when coalesce(status, 'quoted') = 'quoted' then 0 else 1 end,
        case when coalesce(status, 'quoted') = 'quoted' then recorded_at end,
        recorded_at desc,
        batch_id
) = 1
