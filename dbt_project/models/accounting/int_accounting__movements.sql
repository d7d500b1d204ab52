-- All that moves a contract's books, in the order in which it is booked, with the position after it. The position is liability less
-- asset: billed without condition, less credits and refunds, less recognised and refund liability, plus interest. What a
-- movement does to deferred revenue and to the contract asset is the change of the position above and below zero.
with

contracts as (

    select * from {{ ref('int_revenue__contracts') }}

),

billing as (

    select * from {{ ref('int_revenue__billing') }}

),

reductions as (

    select * from {{ ref('int_accounting__reductions') }}

),

positions as (

    select * from {{ ref('int_revenue__positions') }}

),

-- Documents of one day are one entry of the customer; what a contract says of itself is one of the contract.
billed as (

    select
        billing.tenant_id,
        billing.contract_id,
        'billing' as kind,
        billing.posted_on,
        case
            when billing.invoice_id is null then billing.contract_id
            else concat_ws('|', billing.billed_to, contracts.currency)
        end as owner,
        case when billing.invoice_id is null then 1 else 2 end as step,
        case when billing.invoice_id is not null then concat_ws('|', billing.billed_to, contracts.currency) end as account,
        strftime(billing.posted_on, '%Y-%m') as performance_period,
        case when count(distinct billing.invoice_id) = 1 then min(billing.invoice_id) end as invoice_id,
        sum(billing.amount) as invoiced
    from billing
    inner join contracts
        on
            billing.tenant_id = contracts.tenant_id
            and billing.contract_id = contracts.contract_id
    where billing.type = 'billed' and billing.posted_on <= contracts.booked_until
    group by all

),

-- A void document is taken back on its day.
voided as (

    select
        billing.tenant_id,
        billing.contract_id,
        'void' as kind,
        billing.posted_on,
        billing.invoice_id as owner,
        concat_ws('|', billing.billed_to, contracts.currency) as account,
        2 as step,
        strftime(billing.posted_on, '%Y-%m') as performance_period,
        billing.invoice_id,
        -sum(billing.amount) as invoiced
    from billing
    inner join contracts
        on
            billing.tenant_id = contracts.tenant_id
            and billing.contract_id = contracts.contract_id
    where billing.type = 'voided' and billing.posted_on <= contracts.booked_until
    group by all

),

-- A reduction settles what was expected to be given back, as far as the books expected it at the last month end.
settled as (

    select
        billing.tenant_id,
        billing.contract_id,
        billing.posted_on,
        billing.type,
        -- Up to and before this reduction of the month.
        least(sum(billing.amount) over month, coalesce(positions.refund_liability, 0))
        - least(sum(billing.amount) over month - billing.amount, coalesce(positions.refund_liability, 0)) as settled
    from (
        select
            tenant_id,
            contract_id,
            posted_on,
            type,
            sum(amount) as amount
        from billing
        where variable_id is not null
        group by all
    ) as billing
    left join positions
        on
            billing.tenant_id = positions.tenant_id
            and billing.contract_id = positions.contract_id
            and positions.as_of = cast(date_trunc('month', billing.posted_on) as date) - 1
    window month as (partition by billing.tenant_id, billing.contract_id, date_trunc('month', billing.posted_on) order by billing.posted_on, billing.type)

),

taken_back as (

    select
        tenant_id,
        contract_id,
        type,
        posted_on,
        min(performance_period) as performance_period,
        sum(taken_back) as taken_back
    from reductions
    group by all

),

reduced as (

    select
        billing.tenant_id,
        billing.contract_id,
        billing.type as kind,
        billing.posted_on,
        billing.contract_id as owner,
        case billing.type when 'credit' then 3 else 4 end as step,
        coalesce(any_value(taken_back.performance_period), strftime(billing.posted_on, '%Y-%m')) as performance_period,
        case billing.type when 'credit' then sum(billing.amount) else 0 end as credited,
        case billing.type when 'refund' then sum(billing.amount) else 0 end as refunded,
        -1 * coalesce(any_value(settled.settled), 0) as liability,
        -1 * coalesce(any_value(taken_back.taken_back), 0) as recognised,
        coalesce(any_value(taken_back.taken_back), 0) as contra
    from billing
    inner join contracts
        on
            billing.tenant_id = contracts.tenant_id
            and billing.contract_id = contracts.contract_id
    left join taken_back
        on
            billing.tenant_id = taken_back.tenant_id
            and billing.contract_id = taken_back.contract_id
            and billing.type = taken_back.type
            and billing.posted_on = taken_back.posted_on
    left join settled
        on
            billing.tenant_id = settled.tenant_id
            and billing.contract_id = settled.contract_id
            and billing.type = settled.type
            and billing.posted_on = settled.posted_on
    where billing.type in ('credit', 'refund') and billing.posted_on <= contracts.booked_until
    group by billing.tenant_id, billing.contract_id, billing.type, billing.posted_on

),

paid as (

    select
        billing.tenant_id,
        billing.contract_id,
        'payment' as kind,
        billing.posted_on,
        concat_ws('|', billing.contract_id, billing.provider) as owner,
        5 as step,
        strftime(billing.posted_on, '%Y-%m') as performance_period,
        case when billing.provider is null then 'cash' else 'clearing' end as money_role,
        sum(billing.amount) as paid
    from billing
    inner join contracts
        on
            billing.tenant_id = contracts.tenant_id
            and billing.contract_id = contracts.contract_id
    where billing.type = 'paid' and billing.posted_on <= contracts.booked_until
    group by billing.tenant_id, billing.contract_id, billing.posted_on, billing.provider

),

-- A month's recognition less what credits and refunds took back on their own day, and what it adds to the refund liability.
earned as (

    select
        tenant_id,
        contract_id,
        posting_period,
        period,
        recognised,
        breakage,
        0 as liability
    from {{ ref('int_revenue__recognised') }}
    union all
    select
        tenant_id,
        contract_id,
        strftime(posted_on, '%Y-%m') as posting_period,
        performance_period as period,
        taken_back as recognised,
        0 as breakage,
        0 as liability
    from reductions
    union all
    select
        tenant_id,
        contract_id,
        period as posting_period,
        period,
        0 as recognised,
        0 as breakage,
        refund_liability - coalesce(lag(refund_liability) over months, 0) as liability
    from positions
    window months as (partition by tenant_id, contract_id order by as_of)
    union all
    select
        tenant_id,
        contract_id,
        strftime(posted_on, '%Y-%m') as posting_period,
        strftime(posted_on, '%Y-%m') as period,
        0 as recognised,
        0 as breakage,
        settled as liability
    from settled

),

recognition as (

    select
        earned.tenant_id,
        earned.contract_id,
        'recognition' as kind,
        positions.as_of as posted_on,
        earned.contract_id as owner,
        7 as step,
        earned.period as performance_period,
        sum(earned.recognised) as recognised,
        sum(earned.breakage) as breakage,
        sum(earned.liability) as liability
    from earned
    inner join positions
        on
            earned.tenant_id = positions.tenant_id
            and earned.contract_id = positions.contract_id
            and earned.posting_period = positions.period
    group by earned.tenant_id, earned.contract_id, positions.as_of, earned.period

),

interest as (

    select
        tenant_id,
        contract_id,
        'interest' as kind,
        as_of as posted_on,
        contract_id as owner,
        6 as step,
        period as performance_period,
        interest
    from positions
    where interest <> 0

),

moved as (

    select * from billed
    union all by name
    select * from voided
    union all by name
    select * from reduced
    union all by name
    select * from paid
    union all by name
    select * from recognition
    union all by name
    select * from interest

),

counted as (

    select
        moved.tenant_id,
        moved.contract_id,
        moved.kind,
        moved.posted_on,
        moved.owner,
        moved.account,
        moved.step,
        moved.performance_period,
        moved.invoice_id,
        coalesce(moved.money_role, 'cash') as money_role,
        contracts.customer_id,
        contracts.currency,
        contracts.minor_digits,
        contracts.cancellable,
        {%- for name in ['invoiced', 'credited', 'refunded', 'paid', 'recognised', 'breakage', 'contra', 'liability', 'interest'] %}
        cast(coalesce(moved.{{ name }}, 0) as hugeint) as {{ name }},
        {%- endfor %}
        row_number() over (
            partition by moved.tenant_id, moved.contract_id
            order by moved.posted_on, moved.step, moved.performance_period, moved.owner
        ) as movement_no
    from moved
    inner join contracts
        on
            moved.tenant_id = contracts.tenant_id
            and moved.contract_id = contracts.contract_id

),

to_date as (

    select
        *,
        -- The customer may still walk away: a bill counts only as far as it is paid or performed.
        case
            when cancellable then least(sum(invoiced) over history, greatest(sum(paid) over history, sum(recognised) over history))
            else sum(invoiced) over history
        end as unconditional_to_date,
        sum(interest - credited - refunded - recognised - liability) over history as other_to_date
    from counted
    window history as (partition by tenant_id, contract_id order by movement_no)

)

select
    * exclude (unconditional_to_date, other_to_date),
    cast(unconditional_to_date - coalesce(lag(unconditional_to_date) over history, 0) as hugeint) as billed,
    cast(unconditional_to_date + other_to_date as hugeint) as position,
    cast(coalesce(lag(unconditional_to_date + other_to_date) over history, 0) as hugeint) as position_before
from to_date
window history as (partition by tenant_id, contract_id order by movement_no)
