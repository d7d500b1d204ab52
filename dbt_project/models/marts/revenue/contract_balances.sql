-- Where a contract stands at a month end: a liability or an asset, never both (606-10-45-1).
with

balances as (

    select * from {{ ref('int_revenue__balances') }}

),

-- What closed months were posted with.
posted as (

    select * from {{ ref('stg_ratehouse__closed_balances') }}

),

positions as (

    select * from {{ ref('int_revenue__positions') }}

),

receivables as (

    select * from {{ ref('int_revenue__receivables') }}

),

soon as (

    select
        tenant_id,
        contract_id,
        period,
        greatest(sum(rpo_12_months), 0) as amount
    from {{ ref('remaining_obligations') }}
    group by tenant_id, contract_id, period
    having sum(rpo_12_months) > 0

)

select
    balances.tenant_id,
    balances.contract_id,
    balances.customer_id,
    balances.period,
    {{ from_minor('balances.billed_to_date - balances.credited_to_date - balances.refunded_to_date', 'balances.minor_digits') }} as billed,
    {{ from_minor('balances.recognised_to_date', 'balances.minor_digits') }} as recognised,
    {{ from_minor('greatest(balances.net_position, 0)', 'balances.minor_digits') }} as contract_liability,
    -- What is recognised next uses it up first, so what the next twelve months do not recognise is not current.
    coalesce(
        posted.liability_current,
        {{ from_minor("least(greatest(balances.net_position, 0), coalesce(" ~ to_minor('soon.amount', 'balances.minor_digits') ~ ", 0))", 'balances.minor_digits') }}
    ) as liability_current,
    {{ from_minor('greatest(-balances.net_position, 0)', 'balances.minor_digits') }} as contract_asset,
    -- What the contract says of itself, and what is open on its documents.
    coalesce(
        posted.receivable,
        {{ from_minor(
            'coalesce(positions.billed_to_date - positions.documented_to_date - positions.credited_to_date - positions.paid_to_date, 0) + coalesce(receivables.receivable, 0)',
            'balances.minor_digits'
        ) }}
    ) as receivable,
    {{ from_minor('balances.refund_liability', 'balances.minor_digits') }} as refund_liability,
    balances.currency
from balances
left join posted
    on
        balances.tenant_id = posted.tenant_id
        and balances.contract_id = posted.contract_id
        and balances.period = posted.period
left join positions
    on
        balances.tenant_id = positions.tenant_id
        and balances.contract_id = positions.contract_id
        and balances.as_of = positions.as_of
left join receivables
    on
        balances.tenant_id = receivables.tenant_id
        and balances.contract_id = receivables.contract_id
        and balances.as_of = receivables.as_of
left join soon
    on
        balances.tenant_id = soon.tenant_id
        and balances.contract_id = soon.contract_id
        and balances.period = soon.period
