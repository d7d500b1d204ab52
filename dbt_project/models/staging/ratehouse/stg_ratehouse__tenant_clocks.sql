-- Two times drive every run: billing_as_of (which periods are due) and known_as_of (which facts count).
with

clocks as (

    select * from {{ source('raw', 'tenant_clocks') }}

),

latest as (

    select
        tenant_id,
        billing_as_of,
        known_as_of,
        row_number() over (partition by tenant_id order by recorded_at desc, batch_id desc) as recency
    from clocks

)

select
    tenant_id,
    billing_as_of,
    known_as_of
from latest
where recency = 1
