-- Revenue as it was posted, by what made it: what the month itself earned, with its units (int_revenue__units); late, earned in months that were
-- closed; caught up, a new estimate or price of what was done before; breakage. In the transaction and the functional currency, minor
-- units. A closed month has the units of what was posted, at the price that is known now.
with

recognised as (

    select * from {{ ref('int_revenue__recognised') }}

),

units as (

    select * from {{ ref('int_revenue__units') }}

),

contracts as (

    select * from {{ ref('int_revenue__booked_contracts') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

on_time as (

    select
        tenant_id,
        contract_id,
        obligation_id,
        period,
        recognised - prior_performance - breakage as posted
    from recognised
    where period = posting_period

),

earned as (

    select
        *,
        sum(earned) over obligation as earned_in_all,
        sum(earned) over (obligation order by kind desc, plan, dimensions rows between unbounded preceding and current row) as earned_so_far
    from units
    window obligation as (partition by tenant_id, contract_id, obligation_id, period)

),

shared as (

    select
        earned.tenant_id,
        earned.contract_id,
        earned.obligation_id,
        earned.period,
        earned.plan,
        earned.dimensions,
        earned.kind,
        case
            when coalesce(on_time.posted, 0) = earned.earned_in_all then earned.earned
            when earned.earned_in_all = 0 then 0
            else
                {{ divide_half_up('(coalesce(on_time.posted, 0) * sign(earned.earned_in_all) * earned.earned_so_far)', 'greatest(abs(earned.earned_in_all), 1)') }}
                - {{ divide_half_up('(coalesce(on_time.posted, 0) * sign(earned.earned_in_all) * (earned.earned_so_far - earned.earned))', 'greatest(abs(earned.earned_in_all), 1)') }}
        end as amount,
        case
            when coalesce(on_time.posted, 0) = earned.earned_in_all then earned.units
            when earned.earned_in_all = 0 then 0
            else coalesce(try({{ divide_half_up('(coalesce(on_time.posted, 0) * sign(earned.earned_in_all) * earned.units)', 'greatest(abs(earned.earned_in_all), 1)') }}), 0)
        end as units
    from earned
    left join on_time
        on
            earned.tenant_id = on_time.tenant_id
            and earned.contract_id = on_time.contract_id
            and earned.obligation_id = on_time.obligation_id
            and earned.period = on_time.period

),

parts as (

    select
        tenant_id,
        contract_id,
        obligation_id,
        period,
        'revenue' as account_role,
        plan,
        dimensions,
        kind,
        amount,
        units
    from shared
    union all by name
    -- What was posted and nothing known now explains.
    select
        on_time.tenant_id,
        on_time.contract_id,
        on_time.obligation_id,
        on_time.period,
        'revenue' as account_role,
        '' as plan,
        '' as dimensions,
        'other' as kind,
        on_time.posted - coalesce(sum(shared.amount), 0) as amount,
        0 as units
    from on_time
    left join shared
        on
            on_time.tenant_id = shared.tenant_id
            and on_time.contract_id = shared.contract_id
            and on_time.obligation_id = shared.obligation_id
            and on_time.period = shared.period
    group by on_time.tenant_id, on_time.contract_id, on_time.obligation_id, on_time.period, on_time.posted
    having on_time.posted <> coalesce(sum(shared.amount), 0)
    union all by name
    select
        tenant_id,
        contract_id,
        obligation_id,
        posting_period as period,
        'revenue' as account_role,
        '' as plan,
        '' as dimensions,
        case when period < posting_period then 'late' else 'catch_up' end as kind,
        case when period < posting_period then recognised - breakage else prior_performance end as amount,
        0 as units
    from recognised
    union all by name
    select
        tenant_id,
        contract_id,
        obligation_id,
        posting_period as period,
        'breakage_revenue' as account_role,
        '' as plan,
        '' as dimensions,
        case when period < posting_period then 'late' else 'other' end as kind,
        breakage as amount,
        0 as units
    from recognised

),

amounts as (

    select
        parts.tenant_id,
        parts.contract_id,
        parts.obligation_id,
        parts.period,
        parts.account_role,
        parts.plan,
        parts.dimensions,
        parts.kind,
        cast(sum(parts.amount) as hugeint) as amount,
        cast(sum(parts.units) as hugeint) as units
    from parts
    inner join tenants on parts.tenant_id = tenants.tenant_id
    where parts.period < strftime({{ local_date('tenants.billing_as_of', 'tenants.timezone') }}, '%Y-%m')
    group by
        parts.tenant_id, parts.contract_id, parts.obligation_id, parts.period, parts.account_role, parts.plan, parts.dimensions,
        parts.kind
    having sum(parts.amount) <> 0 or sum(parts.units) <> 0

),

-- The journal releases revenue contract by contract, each at the rate it was billed at.
journal as (

    select
        tenant_id,
        contract_id,
        strftime(posted_on, '%Y-%m') as period,
        case when bool_and(functional_amount is not null) then cast(-sum(functional_amount) as hugeint) end as functional_amount
    from {{ ref('int_accounting__journal') }}
    where account_role in ('revenue', 'breakage_revenue', 'contra_revenue') and contract_id is not null
    group by tenant_id, contract_id, strftime(posted_on, '%Y-%m')

),

running as (

    select
        *,
        sum(amount) over contract_month as amount_in_all,
        sum(amount) over (contract_month order by obligation_id, account_role, kind, plan, dimensions rows between unbounded preceding and current row)
            as amount_so_far,
        row_number() over (contract_month order by obligation_id, account_role, kind, plan, dimensions) as place
    from amounts
    window contract_month as (partition by tenant_id, contract_id, period)

)

select
    running.* exclude (amount_in_all, amount_so_far, place),
    contracts.customer_id,
    contracts.subscription_id is not null as is_subscription,
    contracts.currency,
    contracts.minor_digits,
    tenants.currency as functional_currency,
    tenants.minor_digits as functional_digits,
    case
        when journal.contract_id is null then case when running.amount_in_all = 0 then cast(0 as hugeint) end
        when running.amount_in_all = 0 then case when running.place = 1 then journal.functional_amount else cast(0 as hugeint) end
        else cast(
            {{ divide_half_up('(journal.functional_amount * sign(running.amount_in_all) * running.amount_so_far)', 'greatest(abs(running.amount_in_all), 1)') }}
            - {{ divide_half_up('(journal.functional_amount * sign(running.amount_in_all) * (running.amount_so_far - running.amount))', 'greatest(abs(running.amount_in_all), 1)') }}
            as hugeint
        )
    end as functional_amount
from running
inner join contracts
    on
        running.tenant_id = contracts.tenant_id
        and running.contract_id = contracts.contract_id
inner join tenants on running.tenant_id = tenants.tenant_id
left join journal
    on
        running.tenant_id = journal.tenant_id
        and running.contract_id = journal.contract_id
        and running.period = journal.period
