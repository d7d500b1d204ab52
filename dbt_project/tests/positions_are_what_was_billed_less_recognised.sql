-- Identity 8. billed − recognised = contract liability + refund liability − contract asset − accrued interest, per contract, never both a
-- liability and an asset. Fails when a movement is missing on one side.
with

balances as (

    select * from {{ ref('contract_balances') }}

),

interest as (

    select
        tenant_id,
        contract_id,
        period,
        sum(interest) over (partition by tenant_id, contract_id order by period) as accrued
    from {{ ref('deferred_revenue_rollforward') }}

)

select
    balances.*,
    interest.accrued
from balances
inner join interest
    on
        balances.tenant_id = interest.tenant_id
        and balances.contract_id = interest.contract_id
        and balances.period = interest.period
where
    balances.billed - balances.recognised
    <> balances.contract_liability + balances.refund_liability - balances.contract_asset - interest.accrued
    or (balances.contract_liability > 0 and balances.contract_asset > 0)
    or balances.contract_liability < 0
    or balances.contract_asset < 0
