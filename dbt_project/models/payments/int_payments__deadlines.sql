-- First documents that must be paid in full for their subscription to begin (`activation` of its start), and by when: so many hours after
-- the start, or after the document where it came later than that.
with

creations as (

    select
        tenant_id,
        subscription_id,
        effective_at + to_hours(try_cast({{ json_text('data', 'activation.first_payment_hours') }} as integer)) as counted_until,
        to_hours(try_cast({{ json_text('data', 'activation.first_payment_hours') }} as integer)) as allowed_time
    from {{ ref('stg_ratehouse__subscription_events') }}
    where type = 'created'
    qualify row_number() over (partition by tenant_id, subscription_id order by effective_at, recorded_at, event_id) = 1

),

invoices as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}
    where kind = 'invoice'

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

first_documents as (

    select
        creations.tenant_id,
        creations.subscription_id,
        creations.counted_until,
        creations.allowed_time,
        invoices.invoice_id,
        invoices.issued_at
    from creations
    inner join {{ ref('stg_ratehouse__issued_invoice_lines') }} as lines
        on
            creations.tenant_id = lines.tenant_id
            and creations.subscription_id = lines.subscription_id
    inner join invoices
        on
            lines.tenant_id = invoices.tenant_id
            and lines.invoice_id = invoices.invoice_id
    where creations.counted_until is not null
    qualify row_number() over (
        partition by creations.tenant_id, creations.subscription_id order by invoices.issued_at, invoices.series, invoices.seq
    ) = 1

)

select
    first_documents.tenant_id,
    first_documents.subscription_id,
    first_documents.invoice_id,
    case
        when first_documents.issued_at < first_documents.counted_until then first_documents.counted_until
        else first_documents.issued_at + first_documents.allowed_time
    end as ends_at,
    case
        when first_documents.issued_at < first_documents.counted_until then first_documents.counted_until
        else first_documents.issued_at + first_documents.allowed_time
    end <= tenants.billing_as_of as has_passed
from first_documents
inner join tenants on first_documents.tenant_id = tenants.tenant_id
