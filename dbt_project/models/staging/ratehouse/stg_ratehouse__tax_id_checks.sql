-- Not by known_as_of: an answer is about the day on which it was asked for, whenever it is read.
select
    tenant_id,
    tax_id,
    status,
    asked_at,
    cast(asked_at as date) as asked_on,
    detail,
    recorded_at
from {{ source('raw', 'tax_id_checks') }}
qualify row_number() over (partition by tenant_id, tax_id, asked_at order by recorded_at, batch_id) = 1
