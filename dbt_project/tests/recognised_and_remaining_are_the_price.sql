-- Identity 7, first half. At every month end the price of a stated contract is what its obligations were allocated, and what it has earned by
-- then and what remains are that price, with the interest it bore and what was agreed for certain days alone. Fails when a split loses a cent.
with

month_ends as (

    select * from {{ ref('int_revenue__month_ends') }}
    where subscription_id is null

),

prices as (

    select
        month_ends.tenant_id,
        month_ends.contract_id,
        month_ends.as_of,
        sum(changes.amount) as price
    from month_ends
    inner join {{ ref('int_revenue__price_changes') }} as changes
        on
            month_ends.tenant_id = changes.tenant_id
            and month_ends.contract_id = changes.contract_id
            and month_ends.as_of >= changes.effective_on
            and not changes.is_dated
    group by month_ends.tenant_id, month_ends.contract_id, month_ends.as_of

),

schedules as (

    select
        tenant_id,
        contract_id,
        as_of,
        sum(allocated) as allocated,
        bool_or(recognise = 'as_invoiced') as has_invoices
    from {{ ref('int_revenue__schedules') }}
    group by tenant_id, contract_id, as_of

),

-- What was earned by the month's end, less what adds to the price.
parts as (

    select
        tenant_id,
        contract_id,
        posting_period as period,
        recognised as earned
    from {{ ref('int_revenue__earned') }}
    union all
    select
        tenant_id,
        contract_id,
        posting_period as period,
        -recognised as earned
    from {{ ref('int_revenue__dated_schedules') }}
    union all
    select
        tenant_id,
        contract_id,
        period,
        -interest as earned
    from {{ ref('int_revenue__financing') }}

),

earned as (

    select
        month_ends.tenant_id,
        month_ends.contract_id,
        month_ends.as_of,
        coalesce(sum(parts.earned), 0) as earned
    from month_ends
    left join parts
        on
            month_ends.tenant_id = parts.tenant_id
            and month_ends.contract_id = parts.contract_id
            and month_ends.period >= parts.period
    group by month_ends.tenant_id, month_ends.contract_id, month_ends.as_of

),

remaining as (

    select
        month_ends.tenant_id,
        month_ends.contract_id,
        month_ends.as_of,
        coalesce(sum({{ to_minor('obligations.rpo', 'month_ends.minor_digits') }}), 0) as remaining
    from month_ends
    left join {{ ref('remaining_obligations') }} as obligations
        on
            month_ends.tenant_id = obligations.tenant_id
            and month_ends.contract_id = obligations.contract_id
            and month_ends.period = obligations.period
    group by month_ends.tenant_id, month_ends.contract_id, month_ends.as_of

)

select
    prices.*,
    schedules.allocated,
    earned.earned,
    remaining.remaining
from prices
inner join earned
    on
        prices.tenant_id = earned.tenant_id
        and prices.contract_id = earned.contract_id
        and prices.as_of = earned.as_of
inner join remaining
    on
        prices.tenant_id = remaining.tenant_id
        and prices.contract_id = remaining.contract_id
        and prices.as_of = remaining.as_of
left join schedules
    on
        prices.tenant_id = schedules.tenant_id
        and prices.contract_id = schedules.contract_id
        and prices.as_of = schedules.as_of
where
    not coalesce(schedules.has_invoices, false)
    and (
        prices.price <> coalesce(schedules.allocated, 0)
        or prices.price <> earned.earned + remaining.remaining
    )
