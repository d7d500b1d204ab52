-- Costs of obtaining and fulfilling a contract (340-40-35-1): capitalised in the month they are incurred, amortised by months of
-- equal weight until the end of the benefit, by cumulative difference. Of a contract that is cancelled nothing more is to come: what is
-- left is written off that month (340-40-35-3).
with

contracts as (

    select * from {{ ref('int_revenue__contracts') }}

),

costs as (

    select
        tenant_id,
        contract_id,
        recorded_at,
        unnest({{ json_elements('costs') }}) as document
    from {{ ref('int_revenue__stated_contracts') }}

),

closes as (

    select * from {{ ref('int_revenue__closes') }}

),

-- What is learned after a close moves no closed month.
cancellations as (

    select
        events.tenant_id,
        events.contract_id,
        min(greatest(events.effective_on, closes.opens_on)) as cancelled_on
    from {{ ref('stg_ratehouse__contract_events') }} as events
    left join closes
        on
            events.tenant_id = closes.tenant_id
            and events.recorded_at > closes.learned_after
            and events.recorded_at <= closes.learned_until
    where events.type = 'cancelled'
    group by events.tenant_id, events.contract_id

),

terms as (

    select
        costs.tenant_id,
        costs.contract_id,
        contracts.currency,
        contracts.minor_digits,
        contracts.reported_before,
        closes.opens_on,
        cancellations.cancelled_on,
        {{ json_text('costs.document', 'cost_id') }} as cost_id,
        {{ json_text('costs.document', 'kind') }} as kind,
        {{ to_minor('cast(' ~ json_text('costs.document', 'amount') ~ ' as decimal(38, 12))', 'contracts.minor_digits') }} as amount,
        cast({{ json_text('costs.document', 'incurred_on') }} as date) as incurred_on,
        cast({{ json_text('costs.document', 'start') }} as date) as start_on,
        cast({{ json_text('costs.document', 'end') }} as date) as end_on
    from costs
    inner join contracts
        on
            costs.tenant_id = contracts.tenant_id
            and costs.contract_id = contracts.contract_id
    left join cancellations
        on
            costs.tenant_id = cancellations.tenant_id
            and costs.contract_id = cancellations.contract_id
    left join closes
        on
            costs.tenant_id = closes.tenant_id
            and costs.recorded_at > closes.learned_after
            and costs.recorded_at <= closes.learned_until
    where coalesce(cast({{ json_text('costs.document', 'capitalise') }} as boolean), true)

),

months as (

    select
        *,
        cast(unnest(generate_series(
            cast(date_trunc('month', incurred_on) as timestamp),
            cast(least(reported_before, end_on) as timestamp) - to_days(1),
            to_months(1)
        )) as date) as month_start
    from terms

),

scheduled as (

    select
        *,
        {{ divide_half_up('(amount * ' ~ served('start_on', 'end_on', 'last_day(month_start) + 1', "'ratable_month'") ~ ')', served('start_on', 'end_on', 'end_on', "'ratable_month'")) }} as scheduled_to_date
    from months

),

to_date as (

    select
        *,
        case when last_day(month_start) >= cancelled_on then amount else scheduled_to_date end as amortised_to_date
    from scheduled

)

select
    tenant_id,
    contract_id,
    cost_id,
    kind,
    currency,
    minor_digits,
    incurred_on,
    opens_on,
    strftime(month_start, '%Y-%m') as period,
    last_day(month_start) as as_of,
    case when month_start = date_trunc('month', incurred_on) then amount else 0 end as capitalised,
    amortised_to_date - coalesce(lag(amortised_to_date) over benefit, 0) as amortised,
    case when date_trunc('month', cancelled_on) = month_start then amount - scheduled_to_date else 0 end as impaired,
    amount - amortised_to_date as closing
from to_date
window benefit as (partition by tenant_id, contract_id, cost_id order by month_start)
