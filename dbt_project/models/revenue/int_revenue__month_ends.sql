-- Every complete month of a contract since its first fact. `as_of` is the month's last day.
-- depends_on: {{ ref('int_revenue__changed_contracts') }}
-- depends_on: {{ ref('int_revenue__new_months') }}
{{ config(materialized='by_contract', carried={'period': 'new_months.period', 'month_start': 'new_months.month_start', 'as_of': 'new_months.as_of'}) }}
with

contracts as (

    select * from {{ ref('int_revenue__contracts') }}

),

events as (

    select
        tenant_id,
        contract_id,
        min(effective_on) as first_on
    from {{ ref('stg_ratehouse__contract_events') }}
    group by tenant_id, contract_id

),

months as (

    select
        contracts.tenant_id,
        contracts.contract_id,
        contracts.subscription_id,
        contracts.minor_digits,
        unnest(generate_series(
            cast(date_trunc('month', least(contracts.signed_on, coalesce(events.first_on, contracts.signed_on))) as timestamp),
            cast(contracts.reported_before as timestamp) - to_days(1),
            to_months(1)
        )) as month_start
    from contracts
    left join events
        on
            contracts.tenant_id = events.tenant_id
            and contracts.contract_id = events.contract_id

)

select
    tenant_id,
    contract_id,
    subscription_id,
    minor_digits,
    strftime(month_start, '%Y-%m') as period,
    cast(month_start as date) as month_start,
    last_day(month_start) as as_of
from months
