-- Every contract that there is: those that were stated, and every billed subscription that none of them names, which is its own
-- contract (docs/decisions/revenue.md).
-- depends_on: {{ ref('int_revenue__changed_contracts') }}
{{ config(materialized='by_contract') }}
with

contracts as (

    select * from {{ ref('int_revenue__stated_contracts') }}

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

stated as (

    select
        tenant_id,
        contract_id,
        telling,
        cast(null as varchar) as subscription_id,
        customer_id,
        currency,
        signed_on,
        cancellable
    from contracts
    where not is_refused
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
    currencies.minor_digits
from stated
inner join {{ ref('currencies') }} as currencies on stated.currency = currencies.currency
