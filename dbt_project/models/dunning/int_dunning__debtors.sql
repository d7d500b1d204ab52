-- Which subscriptions an unpaid invoice is held against: those on it, or all of the customer's where the ladder follows up customers.
with

policies as (

    select * from {{ ref('int_dunning__policies') }}

),

invoices as (

    select
        invoices.*,
        policies.scope
    from {{ ref('stg_ratehouse__issued_invoices') }} as invoices
    left join {{ ref('int_dunning__segments') }} as segments
        on
            invoices.tenant_id = segments.tenant_id
            and invoices.customer_id = segments.customer_id
    inner join policies
        on
            invoices.tenant_id = policies.tenant_id
            and policies.segment = coalesce(segments.segment, '')
    where invoices.kind = 'invoice'

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

customers as (

    select * from {{ ref('int_subscriptions__customers') }}

),

billed as (

    select distinct
        tenant_id,
        invoice_id,
        subscription_id
    from {{ ref('stg_ratehouse__issued_invoice_lines') }}
    where subscription_id is not null

),

-- Where documents go to the parent, the parent owes.
owned as (

    select distinct
        events.tenant_id,
        events.subscription_id,
        case
            when tenants.group_by = 'parent' then coalesce(customers.parent_customer_id, events.customer_id)
            else events.customer_id
        end as payer_id
    from {{ ref('stg_ratehouse__subscription_events') }} as events
    inner join tenants on events.tenant_id = tenants.tenant_id
    left join customers
        on
            events.tenant_id = customers.tenant_id
            and events.customer_id = customers.customer_id
    where events.type = 'created'

)

select
    invoices.tenant_id,
    invoices.invoice_id,
    invoices.invoice_id as subject_id,
    billed.subscription_id
from invoices
inner join billed
    on
        invoices.tenant_id = billed.tenant_id
        and invoices.invoice_id = billed.invoice_id
where invoices.scope = 'invoice'
union all
select
    invoices.tenant_id,
    invoices.invoice_id,
    concat_ws(':', invoices.customer_id, invoices.currency) as subject_id,
    owned.subscription_id
from invoices
inner join owned
    on
        invoices.tenant_id = owned.tenant_id
        and invoices.customer_id = owned.payer_id
where invoices.scope = 'customer'
