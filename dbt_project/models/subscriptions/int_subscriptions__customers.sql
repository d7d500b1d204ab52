-- Every customer that a fact names: those described, and those that only a subscription mentions, with the tenant's
-- currency and zone where they state none.
with

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

customers as (

    select * from {{ ref('stg_ratehouse__customers') }}

),

mentioned as (

    select distinct
        tenant_id,
        customer_id
    from {{ ref('stg_ratehouse__subscription_events') }}
    where customer_id is not null

),

everyone as (

    select
        tenant_id,
        customer_id
    from customers
    union
    select
        tenant_id,
        customer_id
    from mentioned

)

select
    everyone.tenant_id,
    everyone.customer_id,
    coalesce(customers.name, everyone.customer_id) as name,
    customers.emails,
    customers.billing_contacts,
    customers.currency as stated_currency,
    coalesce(customers.currency, tenants.currency) as currency,
    coalesce(customers.timezone, tenants.timezone) as timezone,
    customers.country,
    customers.region,
    customers.postal_code,
    customers.address,
    customers.tax_id,
    customers.tax_exempt,
    customers.tax_id_status,
    customers.parent_customer_id,
    coalesce(customers.payment_terms_days, tenants.due_days) as due_days,
    customers.po_number,
    coalesce(customers.language, 'en') as language,
    customers.payment_method,
    customers.metadata
from everyone
inner join tenants on everyone.tenant_id = tenants.tenant_id
left join customers
    on
        everyone.tenant_id = customers.tenant_id
        and everyone.customer_id = customers.customer_id
