-- What was earned and not yet billed, from month end to month end and by age. Bills settle what was earned first, so what is left is what was earned last:
-- of this month, the one before, the one before that, or earlier.
with

balances as (

    select
        *,
        greatest(-net_position, 0) as asset,
        greatest(-opening_position, 0) as opening_asset
    from {{ ref('int_revenue__balances') }}

),

posted as (

    select
        tenant_id,
        contract_id,
        strftime(posted_on, '%Y-%m') as period,
        sum(case when kind in ('recognition', 'billing', 'void') then 0 else amount end) as other,
        sum(case kind when 'recognition' then amount else 0 end) as accrued,
        -sum(case when kind in ('billing', 'void') then amount else 0 end) as invoiced
    from {{ ref('int_accounting__journal') }}
    where account_role = 'contract_asset'
    group by tenant_id, contract_id, strftime(posted_on, '%Y-%m')

),

bills as (

    select
        tenant_id,
        contract_id,
        posted_on
    from {{ ref('int_revenue__billing') }}
    where type = 'billed'
    union all
    -- What a subscription runs up is billed when its period ends.
    select
        contracts.tenant_id,
        contracts.contract_id,
        subscriptions.current_period_end as posted_on
    from {{ ref('int_revenue__booked_contracts') }} as contracts
    inner join {{ ref('subscriptions') }} as subscriptions
        on
            contracts.tenant_id = subscriptions.tenant_id
            and contracts.subscription_id = subscriptions.subscription_id

),

moved as (

    select
        balances.tenant_id,
        balances.contract_id,
        balances.customer_id,
        balances.period,
        balances.as_of,
        balances.currency,
        balances.minor_digits,
        balances.opening_asset,
        balances.asset,
        coalesce(posted.accrued, 0) as accrued,
        coalesce(posted.invoiced, 0) as invoiced,
        coalesce(posted.other, 0) as other,
        {%- for name, months in [('newest', 0), ('newer', 1), ('new', 2)] %}
        least(balances.asset, greatest(sum(coalesce(posted.accrued, 0)) over (
            partition by balances.tenant_id, balances.contract_id order by balances.as_of rows between {{ months }} preceding and current row
        ), 0)) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from balances
    left join posted
        on
            balances.tenant_id = posted.tenant_id
            and balances.contract_id = posted.contract_id
            and balances.period = posted.period

),

standing as (

    select * from moved
    where opening_asset <> 0 or asset <> 0

),

next_bills as (

    select
        standing.tenant_id,
        standing.contract_id,
        standing.period,
        min(bills.posted_on) as next_bill_on
    from standing
    inner join bills
        on
            standing.tenant_id = bills.tenant_id
            and standing.contract_id = bills.contract_id
            and standing.as_of < bills.posted_on
    group by standing.tenant_id, standing.contract_id, standing.period

)

select
    standing.tenant_id,
    standing.contract_id,
    standing.customer_id,
    standing.period,
    {%- for name, amount in [
        ('opening', 'opening_asset'), ('accrued', 'accrued'), ('invoiced', '-standing.invoiced'), ('other', 'other'), ('closing', 'asset'), ('age_0_30', 'newest'),
        ('age_31_60', 'greatest(standing.newer, standing.newest) - standing.newest'),
        ('age_61_90', 'greatest(standing.new, standing.newer, standing.newest) - greatest(standing.newer, standing.newest)'),
        ('age_over_90', 'standing.asset - greatest(standing.new, standing.newer, standing.newest)'),
    ] %}
    {{ from_minor('cast(' ~ (amount if 'standing.' in amount else 'standing.' ~ amount) ~ ' as hugeint)', 'standing.minor_digits') }} as {{ name }},
    {%- endfor %}
    next_bills.next_bill_on,
    standing.currency
from standing
left join next_bills
    on
        standing.tenant_id = next_bills.tenant_id
        and standing.contract_id = next_bills.contract_id
        and standing.period = next_bills.period
