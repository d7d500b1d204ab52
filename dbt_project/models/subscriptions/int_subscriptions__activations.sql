-- Subscriptions that wait for their first document to be paid in full, counted in hours from their start: active once it is, expired if
-- it is not by then. Where nothing was billed there is nothing to wait for.
with

creations as (

    select * from {{ ref('int_subscriptions__events') }}
    where type = 'created' and problem is null and first_payment_hours is not null

),

documents as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}

),

lines as (

    select * from {{ ref('stg_ratehouse__issued_invoice_lines') }}

),

payments as (

    select * from {{ ref('stg_ratehouse__payments') }}
    where status = 'succeeded'

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

first_documents as (

    select
        creations.tenant_id,
        creations.subscription_id,
        creations.effective_at + to_hours(creations.first_payment_hours) as ends_at,
        documents.invoice_id,
        documents.invoice_number,
        documents.currency,
        documents.amount_due
    from creations
    left join lines
        on
            creations.tenant_id = lines.tenant_id
            and creations.subscription_id = lines.subscription_id
    left join documents
        on
            lines.tenant_id = documents.tenant_id
            and lines.invoice_id = documents.invoice_id
    qualify row_number() over (
        partition by creations.tenant_id, creations.subscription_id order by documents.issued_at, documents.series, documents.seq
    ) = 1

),

paid as (

    select
        first_documents.tenant_id,
        first_documents.subscription_id,
        sum(payments.amount) as amount
    from first_documents
    inner join payments
        on
            first_documents.tenant_id = payments.tenant_id
            and first_documents.currency = payments.currency
            and coalesce(payments.settled_at, payments.attempted_at, payments.recorded_at) <= first_documents.ends_at
            and (
                first_documents.invoice_id = payments.invoice_id
                or first_documents.invoice_number in (payments.invoice_number, payments.reference)
            )
    group by first_documents.tenant_id, first_documents.subscription_id

)

select
    first_documents.tenant_id,
    first_documents.subscription_id,
    first_documents.invoice_id,
    first_documents.ends_at,
    case
        when coalesce(paid.amount, 0) >= first_documents.amount_due then 'active'
        when tenants.billing_as_of < first_documents.ends_at then 'pending_activation'
        when first_documents.invoice_id is null then 'active'
        else 'expired_activation'
    end as lifecycle
from first_documents
inner join tenants on first_documents.tenant_id = tenants.tenant_id
left join paid
    on
        first_documents.tenant_id = paid.tenant_id
        and first_documents.subscription_id = paid.subscription_id
