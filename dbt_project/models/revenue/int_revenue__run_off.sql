-- What is promised, priced and dated will be recognised month by month after the last complete one, by the same closed form that will
-- recognise it: of issued lines of subscriptions and of obligations of stated contracts. What waits for use or a measure has no date.
with

contracts as (

    select
        *,
        reported_before - 1 as as_of
    from {{ ref('int_revenue__contracts') }}

),

items as (

    select items.*
    from {{ ref('int_revenue__items') }} as items
    left join {{ ref('int_rating__rated_charges') }} as rated
        on
            items.tenant_id = rated.tenant_id
            and items.item_id = rated.rated_id
    -- What is served before it is billed is nobody's prepayment.
    where rated.rated_id is null and items.ended_on is null

),

progress as (

    select * from {{ ref('int_revenue__progress') }}
    where is_last_epoch

),

obligations as (

    select * from {{ ref('int_revenue__obligations') }}

),

-- allocated × (numerator + served since) ÷ denominator.
promises as (

    select
        contracts.tenant_id,
        contracts.contract_id,
        contracts.as_of,
        items.charge as obligation_id,
        items.item_id as part,
        items.recognise,
        items.starts_on as start_on,
        items.ends_on as end_on,
        items.amount as allocated,
        {{ served('items.starts_on', 'items.ends_on', 'contracts.as_of + 1', 'items.recognise') }} as numerator,
        {{ served('items.starts_on', 'items.ends_on', 'items.ends_on', 'items.recognise') }} as denominator
    from contracts
    inner join items
        on
            contracts.tenant_id = items.tenant_id
            and contracts.subscription_id = items.subscription_id
            and greatest(items.ends_on, items.starts_on + 1) > contracts.as_of + 1
    union all
    select
        contracts.tenant_id,
        contracts.contract_id,
        contracts.as_of,
        progress.obligation_id,
        progress.obligation_id as part,
        progress.recognise,
        case when progress.recognise = 'point_in_time' then obligations.satisfied_on else obligations.start_on end as start_on,
        case when progress.recognise = 'point_in_time' then obligations.satisfied_on + 1 else obligations.end_on end as end_on,
        allocations.allocated,
        progress.numerator,
        progress.denominator
    from contracts
    inner join progress
        on
            contracts.tenant_id = progress.tenant_id
            and contracts.contract_id = progress.contract_id
            and contracts.as_of = progress.as_of
            and progress.numerator < progress.denominator
            and progress.recognise in ('ratable_day', 'ratable_month', 'point_in_time')
    inner join {{ ref('int_revenue__allocations') }} as allocations
        on
            progress.tenant_id = allocations.tenant_id
            and progress.contract_id = allocations.contract_id
            and progress.obligation_id = allocations.obligation_id
            and progress.as_of = allocations.as_of
            and progress.epoch = allocations.epoch
    inner join obligations
        on
            progress.tenant_id = obligations.tenant_id
            and progress.contract_id = obligations.contract_id
            and contracts.telling = obligations.telling
            and progress.obligation_id = obligations.obligation_id
            and progress.as_of >= obligations.valid_from
            and progress.as_of < obligations.valid_before
    where contracts.subscription_id is null

),

months as (

    select
        *,
        last_day(cast(unnest(generate_series(
            cast(date_trunc('month', greatest(start_on, as_of + 1)) as timestamp),
            cast(greatest(end_on, start_on + 1) as timestamp) - to_days(1),
            to_months(1)
        )) as date)) as future_on
    from promises
    where start_on is not null and end_on > as_of + 1

),

to_date as (

    select
        *,
        {%- for name, before in [('recognised_by', 'future_on + 1'), ('recognised_until', "cast(greatest(date_trunc('month', future_on), as_of + 1) as date)")] %}
        case
            when recognise = 'point_in_time' then case when {{ before }} > start_on then allocated else 0 end
            else {{ divide_half_up(
                '(allocated * (numerator + ' ~ served('start_on', 'end_on', before, 'recognise') ~ ' - ' ~ served('start_on', 'end_on', 'as_of + 1', 'recognise') ~ '))',
                'greatest(denominator, 1)'
            ) }}
        end as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from months

)

select
    tenant_id,
    contract_id,
    obligation_id,
    as_of,
    strftime(future_on, '%Y-%m') as period,
    cast(sum(recognised_by - recognised_until) as hugeint) as amount
from to_date
group by tenant_id, contract_id, obligation_id, as_of, strftime(future_on, '%Y-%m')
having sum(recognised_by - recognised_until) <> 0
