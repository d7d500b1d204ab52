-- The negotiated charges of subscription events, in the grammar of a charge (`ratehouse.configuration`).
with

charges as (

    select
        *,
        row_number() over (partition by tenant_id, event_id order by recorded_at, batch_id) as arrival
    from {{ source('raw', 'negotiated_charges') }}

)

select
    tenant_id,
    event_id,
    nullif(charges, '{}') as charges,
    reason_code,
    reason
from charges
where arrival = 1
