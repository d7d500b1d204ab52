-- Credits and refunds of contracts on their day, and how much of them takes back revenue that the books already have: of a price for
-- certain days, those of earlier months; else the share of the price that was recognised at the last month end; after a
-- cancellation, what was recognised beyond the price that stays. What settles a refund liability takes back nothing.
with

events as (

    select
        events.*,
        contracts.minor_digits,
        {{ to_minor('cast(' ~ json_text('events.data', 'amount') ~ ' as decimal(38, 12))', 'contracts.minor_digits') }} as amount,
        coalesce(cast({{ json_text('events.data', 'changes_price') }} as boolean), true) as changes_price,
        {{ json_text('events.data', 'obligation_id') }} as obligation_id,
        {{ json_text('events.data', 'variable_id') }} as variable_id,
        greatest(events.effective_on, closes.opens_on) as posted_on,
        cast(date_trunc('month', greatest(events.effective_on, closes.opens_on)) as date) - 1 as last_month_end
    from {{ ref('stg_ratehouse__contract_events') }} as events
    inner join {{ ref('int_revenue__contracts') }} as contracts
        on
            events.tenant_id = contracts.tenant_id
            and events.contract_id = contracts.contract_id
    left join {{ ref('int_revenue__closes') }} as closes
        on
            events.tenant_id = closes.tenant_id
            and events.recorded_at > closes.learned_after
            and events.recorded_at <= closes.learned_until
    where events.type in ('credit', 'refund')

),

changes as (

    select * from {{ ref('int_revenue__price_changes') }}

),

schedules as (

    select * from {{ ref('int_revenue__schedules') }}

),

-- In the books at the last month end, of the obligation that the reduction names or of all.
booked as (

    select
        events.tenant_id,
        events.event_id,
        sum(schedules.recognised_to_date) as recognised,
        sum(schedules.allocated) as price
    from events
    inner join schedules
        on
            events.tenant_id = schedules.tenant_id
            and events.contract_id = schedules.contract_id
            and events.last_month_end = schedules.as_of
            and (events.obligation_id is null or events.obligation_id = schedules.obligation_id)
    group by events.tenant_id, events.event_id

),

-- The price that stays enforceable, where a cancellation of this month decides.
cancelled as (

    select
        events.tenant_id,
        events.event_id,
        sum(changes.amount) as price
    from events
    inner join changes
        on
            events.tenant_id = changes.tenant_id
            and events.contract_id = changes.contract_id
            and events.effective_on >= changes.effective_on
    group by events.tenant_id, events.event_id
    having bool_or(changes.kind = 'cancellation' and changes.effective_on > events.last_month_end)

),

judged as (

    select
        events.tenant_id,
        events.contract_id,
        events.event_id,
        events.type,
        events.effective_on,
        events.posted_on,
        events.amount,
        events.variable_id,
        case
            when not events.changes_price or events.variable_id is not null or {{ json_text('events.data', 'start') }} is not null then 0
            when cancelled.event_id is not null then greatest(least(events.amount, coalesce(booked.recognised, 0) - cancelled.price), 0)
            when coalesce(booked.price, 0) = 0 then 0
            else {{ divide_half_up('(events.amount * booked.recognised * sign(booked.price))', 'abs(booked.price)') }}
        end as taken_back
    from events
    left join booked
        on
            events.tenant_id = booked.tenant_id
            and events.event_id = booked.event_id
    left join cancelled
        on
            events.tenant_id = cancelled.tenant_id
            and events.event_id = cancelled.event_id

),

undated as (

    select
        tenant_id,
        contract_id,
        event_id,
        type,
        posted_on,
        strftime(effective_on, '%Y-%m') as performance_period,
        taken_back
    from judged

),

dated as (

    select
        changes.tenant_id,
        changes.contract_id,
        '' as event_id,
        changes.kind as type,
        changes.posted_on,
        schedules.period as performance_period,
        -1 * schedules.recognised as taken_back
    from {{ ref('int_revenue__dated_schedules') }} as schedules
    inner join changes
        on
            schedules.tenant_id = changes.tenant_id
            and schedules.contract_id = changes.contract_id
            and schedules.change_no = changes.change_no
    where changes.kind in ('credit', 'refund') and schedules.period < strftime(changes.posted_on, '%Y-%m')

)

select
    tenant_id,
    contract_id,
    type,
    posted_on,
    performance_period,
    cast(sum(taken_back) as hugeint) as taken_back
from (
    select * from undated
    union all
    select * from dated
) as every
group by tenant_id, contract_id, type, posted_on, performance_period
having sum(taken_back) <> 0
