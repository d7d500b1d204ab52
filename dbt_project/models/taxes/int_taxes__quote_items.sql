-- The lines that a provider is asked about, each with the item it is part of: a discount is part of the line that it lowers, so that an item
-- is what is paid for one thing.
with

lines as (

    select
        *,
        coalesce(discount_id, '') <> '' as is_discount
    from {{ ref('int_invoicing__net_lines') }}

),

sources as (

    select * from {{ ref('int_taxes__line_sources') }}
    where source = 'quoted'

)

select
    lines.tenant_id,
    lines.document_key,
    lines.line_no,
    lines.customer_id,
    case
        when lines.is_discount then coalesce(min(case when not lines.is_discount then lines.line_no end) over of_slice, lines.line_no)
        else lines.line_no
    end as item_no,
    lines.tax_code,
    coalesce(lines.charge_description, lines.charge) as description,
    places.certificate_number,
    places.exemption_reason,
    lines.amount
from lines
inner join sources
    on
        lines.tenant_id = sources.tenant_id
        and lines.document_key = sources.document_key
        and lines.line_no = sources.line_no
inner join {{ ref('int_taxes__line_places') }} as places
    on
        lines.tenant_id = places.tenant_id
        and lines.document_key = places.document_key
        and lines.line_no = places.line_no
window of_slice as (
    partition by
        lines.tenant_id, lines.document_key, lines.subscription_id, lines.plan, lines.charge, lines.dimensions, lines.slice_start_at
)
