-- Interest on what a customer paid before it was transferred (606-10-32-15 to 20), where the contract states a financing component.
-- Payments cover transfers in the order of both; each part bears interest from its payment to its transfer, which adds to the price of what is
-- transferred. What waits for transfer has borne interest up to the month's end.
with

contracts as (

    select
        stated.tenant_id,
        stated.contract_id,
        {{ to_scaled('cast(' ~ json_text('stated.financing', 'annual_rate') ~ ' as decimal(28, 12))', 12) }} as rate
    from {{ ref('int_revenue__stated_contracts') }} as stated
    where stated.financing is not null

),

schedules as (

    select schedules.*
    from {{ ref('int_revenue__schedules') }} as schedules
    inner join contracts
        on
            schedules.tenant_id = contracts.tenant_id
            and schedules.contract_id = contracts.contract_id

),

obligations as (

    select
        promised.tenant_id,
        promised.contract_id,
        promised.obligation_id,
        coalesce(max(promised.satisfied_on), max(deliveries.effective_on)) as satisfied_on
    from {{ ref('int_revenue__obligations') }} as promised
    inner join {{ ref('int_revenue__stated_contracts') }} as stated
        on
            promised.tenant_id = stated.tenant_id
            and promised.contract_id = stated.contract_id
            and promised.telling = stated.telling
    left join {{ ref('stg_ratehouse__contract_events') }} as deliveries
        on
            promised.tenant_id = deliveries.tenant_id
            and promised.contract_id = deliveries.contract_id
            and promised.obligation_id = {{ json_text('deliveries.data', 'obligation_id') }}
            and deliveries.type = 'delivered'
    where promised.recognise = 'point_in_time'
    group by promised.tenant_id, promised.contract_id, promised.obligation_id

),

payments as (

    select
        billing.tenant_id,
        billing.contract_id,
        billing.posted_on as paid_on,
        sum(sum(billing.amount)) over sequence as paid_to_date,
        sum(sum(billing.amount)) over sequence - sum(billing.amount) as paid_before
    from {{ ref('int_revenue__billing') }} as billing
    inner join contracts
        on
            billing.tenant_id = contracts.tenant_id
            and billing.contract_id = contracts.contract_id
    where billing.type = 'paid'
    group by billing.tenant_id, billing.contract_id, billing.posted_on
    window sequence as (partition by billing.tenant_id, billing.contract_id order by billing.posted_on)

),

-- A transfer at a point in time has its day, one over time the month in which it is served.
transfers as (

    select
        schedules.tenant_id,
        schedules.contract_id,
        schedules.obligation_id,
        schedules.as_of,
        coalesce(
            case when strftime(obligations.satisfied_on, '%Y-%m') = schedules.period then obligations.satisfied_on end,
            cast(date_trunc('month', schedules.as_of) as date)
        ) as transferred_on,
        sum(schedules.recognised) over sequence as transferred_to_date,
        sum(schedules.recognised) over sequence - schedules.recognised as transferred_before
    from schedules
    left join obligations
        on
            schedules.tenant_id = obligations.tenant_id
            and schedules.contract_id = obligations.contract_id
            and schedules.obligation_id = obligations.obligation_id
    where schedules.recognised > 0
    window sequence as (partition by schedules.tenant_id, schedules.contract_id order by schedules.as_of, schedules.obligation_id)

),

covered as (

    select
        transfers.tenant_id,
        transfers.contract_id,
        transfers.obligation_id,
        transfers.as_of,
        sum({{ divide_half_up(
            '((least(transfers.transferred_to_date, payments.paid_to_date) - greatest(transfers.transferred_before, payments.paid_before)) * ('
            ~ growth('contracts.rate', 'payments.paid_on', 'transfers.transferred_on') ~ ' - ' ~ 10 ** 15 ~ '))',
            10 ** 15
        ) }}) as interest
    from transfers
    inner join contracts
        on
            transfers.tenant_id = contracts.tenant_id
            and transfers.contract_id = contracts.contract_id
    inner join payments
        on
            transfers.tenant_id = payments.tenant_id
            and transfers.contract_id = payments.contract_id
            and transfers.transferred_to_date > payments.paid_before
            and transfers.transferred_before < payments.paid_to_date
    group by transfers.tenant_id, transfers.contract_id, transfers.obligation_id, transfers.as_of

),

transferred as (

    select
        schedules.tenant_id,
        schedules.contract_id,
        schedules.obligation_id,
        schedules.as_of,
        schedules.period,
        schedules.recognise,
        schedules.minor_digits,
        greatest(schedules.allocated - schedules.recognised_to_date, 0) as remaining,
        coalesce(covered.interest, 0) as recognised,
        coalesce(sum(covered.interest) over months, 0) as recognised_to_date,
        sum(schedules.recognised_to_date) over (partition by schedules.tenant_id, schedules.contract_id, schedules.as_of) as all_transferred
    from schedules
    left join covered
        on
            schedules.tenant_id = covered.tenant_id
            and schedules.contract_id = covered.contract_id
            and schedules.obligation_id = covered.obligation_id
            and schedules.as_of = covered.as_of
    window months as (partition by schedules.tenant_id, schedules.contract_id, schedules.obligation_id order by schedules.as_of)

),

waiting as (

    select
        months.tenant_id,
        months.contract_id,
        months.as_of,
        sum({{ divide_half_up(
            '((payments.paid_to_date - greatest(months.all_transferred, payments.paid_before)) * ('
            ~ growth('contracts.rate', 'payments.paid_on', 'months.as_of + 1') ~ ' - ' ~ 10 ** 15 ~ '))',
            10 ** 15
        ) }}) as interest
    from (
        select distinct
            tenant_id,
            contract_id,
            as_of,
            all_transferred
        from transferred
    ) as months
    inner join contracts
        on
            months.tenant_id = contracts.tenant_id
            and months.contract_id = contracts.contract_id
    inner join payments
        on
            months.tenant_id = payments.tenant_id
            and months.contract_id = payments.contract_id
            and months.as_of >= payments.paid_on
            and months.all_transferred < payments.paid_to_date
    group by months.tenant_id, months.contract_id, months.as_of

),

-- Interest of what waits adds to the price of what remains.
members as (

    select
        transferred.*,
        'waiting' as pool,
        coalesce(waiting.interest, 0) as amount,
        transferred.remaining as weight
    from transferred
    left join waiting
        on
            transferred.tenant_id = waiting.tenant_id
            and transferred.contract_id = waiting.contract_id
            and transferred.as_of = waiting.as_of

),

{{ split_by_weight('members', 'shares') }}

select
    tenant_id,
    contract_id,
    obligation_id,
    as_of,
    period,
    recognise,
    minor_digits,
    cast(recognised as hugeint) as recognised,
    cast(recognised_to_date as hugeint) as recognised_to_date,
    cast(recognised_to_date + allocated as hugeint) as allocated,
    cast(recognised_to_date + allocated - coalesce(lag(recognised_to_date + allocated) over months, 0) as hugeint) as interest
from shares
window months as (partition by tenant_id, contract_id, obligation_id order by as_of)
