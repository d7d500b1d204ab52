-- Every contract under way: those that were stated, and every billed subscription that none of them names, which is its own
-- contract (docs/decisions/revenue.md). `reported_before` is the first day of the running month: months before it are complete;
-- what happens up to `booked_until` is in the books.
with

contracts as (

    select * from {{ ref('stg_ratehouse__contracts') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

lines as (

    select * from {{ ref('int_revenue__invoice_lines') }}

),

-- What a subscription has been billed or has earned, with its first day.
earned as (

    select
        tenant_id,
        subscription_id,
        customer_id,
        currency,
        least(bill_date, service_start) as first_on
    from lines
    union all
    select
        tenant_id,
        subscription_id,
        customer_id,
        currency,
        starts_on as first_on
    from {{ ref('int_revenue__items') }}
    union all
    select
        tenant_id,
        subscription_id,
        customer_id,
        currency,
        service_start as first_on
    from {{ ref('int_revenue__usage') }}

),

named as (

    select
        tenant_id,
        contract_id,
        unnest({{ json_texts('subscription_ids') }}) as subscription_id
    from contracts

),

refused as (

    select distinct
        tenant_id,
        contract_id
    from {{ ref('int_revenue__refusals') }}

),

stated as (

    select
        contracts.tenant_id,
        contracts.contract_id,
        cast(null as varchar) as subscription_id,
        contracts.customer_id,
        contracts.currency,
        contracts.signed_on,
        contracts.cancellable
    from contracts
    left join refused
        on
            contracts.tenant_id = refused.tenant_id
            and contracts.contract_id = refused.contract_id
    where refused.contract_id is null
    union all by name
    -- A subscription has one contract per currency it was billed in; the rule is one currency per subscription.
    select
        earned.tenant_id,
        earned.subscription_id as contract_id,
        earned.subscription_id,
        min(earned.customer_id) as customer_id,
        min(earned.currency) as currency,
        min(earned.first_on) as signed_on,
        false as cancellable
    from earned
    left join named
        on
            earned.tenant_id = named.tenant_id
            and earned.subscription_id = named.subscription_id
    where named.subscription_id is null
    group by earned.tenant_id, earned.subscription_id

)

select
    stated.*,
    currencies.minor_digits,
    tenants.timezone,
    cast(date_trunc('month', {{ local_date('tenants.billing_as_of', 'tenants.timezone') }}) as date) as reported_before,
    {{ local_date('tenants.billing_as_of', 'tenants.timezone') }} as booked_until
from stated
inner join tenants on stated.tenant_id = tenants.tenant_id
inner join currencies on stated.currency = currencies.currency
