-- depends_on: {{ ref('int_revenue__changed_contracts') }}
{{ config(materialized='by_contract') }}
with

recognised as (

    select
        *,
        sum(recognised) over (
            partition by tenant_id, contract_id, obligation_id
            order by posting_period, period
        ) as cumulative
    from {{ ref('int_revenue__recognised') }}

),

contracts as (

    select * from {{ ref('int_revenue__booked_contracts') }}

)

select
    recognised.tenant_id,
    recognised.contract_id,
    recognised.obligation_id,
    contracts.customer_id,
    recognised.period,
    recognised.posting_period,
    recognised.method,
    {{ from_minor('recognised.recognised', 'contracts.minor_digits') }} as recognised,
    {{ from_minor('recognised.cumulative', 'contracts.minor_digits') }} as cumulative,
    {{ from_minor('recognised.prior_performance', 'contracts.minor_digits') }} as prior_performance,
    contracts.currency
from recognised
inner join contracts
    on
        recognised.tenant_id = contracts.tenant_id
        and recognised.contract_id = contracts.contract_id
