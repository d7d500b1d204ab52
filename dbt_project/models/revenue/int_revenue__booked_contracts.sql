-- Contracts that the books know: those under way, and those that closed months have and nothing is derived of any more (a contract that is refused by
-- what was learned since).
with

contracts as (

    select
        tenant_id,
        contract_id,
        subscription_id,
        customer_id,
        currency,
        minor_digits
    from {{ ref('int_revenue__contracts') }}

),

posted as (

    select
        balances.tenant_id,
        balances.contract_id,
        cast(null as varchar) as subscription_id,
        arg_max(balances.customer_id, balances.period) as customer_id,
        min(balances.currency) as currency,
        min(currencies.minor_digits) as minor_digits
    from {{ ref('stg_ratehouse__closed_balances') }} as balances
    inner join {{ ref('currencies') }} as currencies on balances.currency = currencies.currency
    left join contracts
        on
            balances.tenant_id = contracts.tenant_id
            and balances.contract_id = contracts.contract_id
    where contracts.contract_id is null
    group by balances.tenant_id, balances.contract_id

)

select * from contracts
union all
select * from posted
