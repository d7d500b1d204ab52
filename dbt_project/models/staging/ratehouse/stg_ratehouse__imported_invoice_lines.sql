-- As known by known_as_of. Lines that repeat each other stay: the other system billed them as often as it says.
with

imported as (

    select * from {{ source('raw', 'imported_invoice_lines') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

)

select
    imported.* exclude (source, batch_id),
    row_number() over (
        partition by imported.tenant_id, imported.invoice_number
        order by imported.issued_at, imported.item, imported.description, imported.quantity, imported.unit_price, imported.recorded_at
    ) as line_no
from imported
inner join clocks on imported.tenant_id = clocks.tenant_id
where imported.recorded_at <= clocks.known_as_of
