-- The net position (liability less asset) from month end to month end; a movement that lowers it is negative. Revenue carries the
-- change of the refund liability that it was reduced by, and is apart from what new estimates, prices and catch-up modifications of the month made of
-- what was done before.
-- depends_on: {{ ref('int_revenue__changed_contracts') }}
-- depends_on: {{ ref('int_revenue__new_months') }}
{{ config(materialized='by_contract', carried={
    'period': 'new_months.period', 'opening': 'made.closing', 'billed': '0', 'recognised': '0', 'modified': '0', 'credited': '0', 'refunded': '0', 'interest': '0'
}) }}
with

balances as (

    select * from {{ ref('int_revenue__balances') }}

),

-- What is posted late for closed months is revenue of those.
caught_up as (

    select
        tenant_id,
        contract_id,
        posting_period as period,
        cast(sum(prior_performance) as hugeint) as amount
    from {{ ref('int_revenue__recognised') }}
    where period = posting_period and prior_performance <> 0
    group by tenant_id, contract_id, posting_period

)

select
    balances.tenant_id,
    balances.contract_id,
    balances.customer_id,
    balances.period,
    {{ from_minor('balances.opening_position', 'balances.minor_digits') }} as opening,
    {{ from_minor('balances.billed', 'balances.minor_digits') }} as billed,
    {{ from_minor(
        'balances.net_position - balances.opening_position - balances.billed + balances.credited + balances.refunded - balances.interest + coalesce(caught_up.amount, 0)',
        'balances.minor_digits'
    ) }} as recognised,
    {{ from_minor('-coalesce(caught_up.amount, 0)', 'balances.minor_digits') }} as modified,
    {{ from_minor('-balances.credited', 'balances.minor_digits') }} as credited,
    {{ from_minor('-balances.refunded', 'balances.minor_digits') }} as refunded,
    {{ from_minor('balances.interest', 'balances.minor_digits') }} as interest,
    cast(0 as decimal(20, 4)) as fx,
    {{ from_minor('balances.net_position', 'balances.minor_digits') }} as closing,
    balances.currency
from balances
left join caught_up
    on
        balances.tenant_id = caught_up.tenant_id
        and balances.contract_id = caught_up.contract_id
        and balances.period = caught_up.period
