-- Invoices that are charged to a stored payment method, and from which day on: the due date, or the first day after it on which something
-- is owed and nothing holds it. A customer without a payment method of the tenant's gateway pays in its own way.
with

tenants as (

    select
        tenant_id,
        {{ json_text('document', 'collection.gateway') }} as gateway,
        cast({{ json_text('document', 'collection.since') }} as date) as since
    from {{ ref('stg_ratehouse__tenants') }}

),

customers as (

    select
        tenant_id,
        customer_id,
        {{ json_text('payment_method', 'gateway') }} as gateway
    from {{ ref('int_subscriptions__customers') }}

)

select
    spans.tenant_id,
    spans.invoice_id,
    spans.customer_id,
    spans.currency,
    any_value(spans.timezone) as timezone,
    any_value(spans.due_after) as due_after,
    cast(min(greatest(spans.from_day, spans.due_on)) as date) as due_day
from {{ ref('int_dunning__open_spans') }} as spans
inner join {{ ref('stg_ratehouse__issued_invoices') }} as invoices
    on
        spans.tenant_id = invoices.tenant_id
        and spans.invoice_id = invoices.invoice_id
inner join tenants on spans.tenant_id = tenants.tenant_id
inner join customers
    on
        spans.tenant_id = customers.tenant_id
        and spans.customer_id = customers.customer_id
        and tenants.gateway = customers.gateway
where
    invoices.issued_on >= tenants.since
    and not spans.is_held
    and spans.to_day > greatest(spans.from_day, spans.due_on)
    and greatest(spans.from_day, spans.due_on) <= spans.today
group by spans.tenant_id, spans.invoice_id, spans.customer_id, spans.currency
