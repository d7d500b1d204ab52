-- A version is immutable, so the first landing of a version is the version.
with

books as (

    select
        tenant_id,
        price_book,
        effective_from,
        document,
        content_hash,
        recorded_at,
        row_number() over (partition by tenant_id, price_book order by recorded_at, batch_id) as arrival
    from {{ source('raw', 'price_books') }}

)

select
    tenant_id,
    price_book,
    effective_from,
    document,
    content_hash,
    recorded_at
from books
where arrival = 1
