-- Identity 12. What stands on a tenant's documents comes from that tenant: its own customers, subscriptions and documents. Fails when a
-- join forgets tenant_id.
with

customers as (

    select distinct
        tenant_id,
        customer_id
    from {{ ref('customers') }}

),

subscriptions as (

    select distinct
        tenant_id,
        subscription_id
    from {{ ref('stg_ratehouse__subscription_events') }}

),

documents as (

    select
        tenant_id,
        invoice_id
    from {{ ref('stg_ratehouse__issued_invoices') }}

),

lines as (

    select
        tenant_id,
        invoice_id,
        customer_id,
        subscription_id,
        line_id as reference
    from {{ ref('stg_ratehouse__issued_invoice_lines') }}
    union all
    select
        tenant_id,
        null as invoice_id,
        customer_id,
        subscription_id,
        rated_id as reference
    from {{ ref('rated_charges') }}

)

select lines.*
from lines
left join customers
    on
        lines.tenant_id = customers.tenant_id
        and lines.customer_id = customers.customer_id
left join subscriptions
    on
        lines.tenant_id = subscriptions.tenant_id
        and lines.subscription_id = subscriptions.subscription_id
left join documents
    on
        lines.tenant_id = documents.tenant_id
        and lines.invoice_id = documents.invoice_id
where
    customers.customer_id is null
    or (lines.subscription_id is not null and subscriptions.subscription_id is null)
    or (lines.invoice_id is not null and documents.invoice_id is null)
