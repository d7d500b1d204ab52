-- Slices that several lines bill. Nearly all are billed once and never looked at again, so these are set apart by a key that is cheap to
-- compare; a few that were billed once may share one, which costs them an addition of one line.
with

lines as (

    select
        tenant_id,
        {{ slice_key() }} as slice_key
    from {{ ref('stg_ratehouse__issued_invoice_lines') }}
    where slice_start_at is not null

)

select
    tenant_id,
    slice_key
from lines
group by tenant_id, slice_key
having count(*) > 1
