-- What the waterfall spreads over later months is the contract's liability, to the cent.
with

balances as (

    select
        balances.tenant_id,
        balances.contract_id,
        balances.contract_liability
    from {{ ref('contract_balances') }} as balances
    inner join {{ ref('int_revenue__contracts') }} as contracts
        on
            balances.tenant_id = contracts.tenant_id
            and balances.contract_id = contracts.contract_id
            and balances.period = strftime(contracts.reported_before - 1, '%Y-%m')

),

waterfall as (

    select
        tenant_id,
        contract_id,
        sum(amount) as amount
    from {{ ref('deferred_revenue_waterfall') }}
    group by tenant_id, contract_id

)

select
    coalesce(balances.tenant_id, waterfall.tenant_id) as tenant_id,
    coalesce(balances.contract_id, waterfall.contract_id) as contract_id,
    balances.contract_liability,
    waterfall.amount
from balances
full outer join waterfall
    on
        balances.tenant_id = waterfall.tenant_id
        and balances.contract_id = waterfall.contract_id
where coalesce(balances.contract_liability, 0) <> coalesce(waterfall.amount, 0)
