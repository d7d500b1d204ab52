-- What the term of a subscription still commits to beyond the running billing period, at the fees in force at the month end: part of the remaining
-- performance obligation (606-10-50-13). A term that renews by itself commits to its own end only.
with

month_ends as (

    select * from {{ ref('int_revenue__month_ends') }}
    where subscription_id is not null

),

terms as (

    select
        tenant_id,
        subscription_id,
        min(effective_on) as started_on,
        arg_min(term_months, effective_on) as term_months
    from {{ ref('int_subscriptions__events') }}
    where type = 'created' and term_months is not null
    group by tenant_id, subscription_id

),

endings as (

    select
        tenant_id,
        subscription_id,
        min(starts_on) as ended_on
    from {{ ref('int_subscriptions__timeline') }}
    where billing = 'off' and ends_on is null
    group by tenant_id, subscription_id

),

fees as (

    select
        rated.tenant_id,
        rated.subscription_id,
        rated.charge,
        rated.service_start,
        rated.service_end,
        slices.cycle_months,
        slices.cycle_days,
        currencies.minor_digits,
        {{ prorate('rated.amount_exact', 'slices.cycle_units', 'slices.service_units') }} as cycle_amount
    from {{ ref('int_rating__rated_charges') }} as rated
    inner join {{ ref('int_proration__slices') }} as slices on rated.slice_id = slices.slice_id
    inner join {{ ref('currencies') }} as currencies on rated.currency = currencies.currency
    where rated.type = 'recurring' and slices.service_units > 0

),

-- The term that is running at the month end.
running as (

    select
        month_ends.tenant_id,
        month_ends.contract_id,
        month_ends.subscription_id,
        month_ends.period,
        month_ends.month_start,
        month_ends.as_of,
        least(
            {{ boundary_after('month_ends.as_of', 'terms.started_on', 'day(terms.started_on)', 'terms.term_months', 'null') }},
            endings.ended_on
        ) as commits_until
    from month_ends
    inner join terms
        on
            month_ends.tenant_id = terms.tenant_id
            and month_ends.subscription_id = terms.subscription_id
            and month_ends.as_of >= terms.started_on
    left join endings
        on
            month_ends.tenant_id = endings.tenant_id
            and month_ends.subscription_id = endings.subscription_id

),

committed as (

    select
        running.*,
        fees.charge,
        fees.service_end,
        {{ to_minor(
            prorate(
                'fees.cycle_amount',
                "case when fees.cycle_months > 0 then datediff('month', fees.service_end, running.commits_until) else datediff('day', fees.service_end, running.commits_until) end",
                'case when fees.cycle_months > 0 then fees.cycle_months else fees.cycle_days end'
            ),
            'fees.minor_digits'
        ) }} as amount
    from running
    inner join fees
        on
            running.tenant_id = fees.tenant_id
            and running.subscription_id = fees.subscription_id
            and running.as_of >= fees.service_start
            and running.as_of < fees.service_end
            and running.commits_until > fees.service_end

)

select
    tenant_id,
    contract_id,
    charge as obligation_id,
    period,
    as_of,
    cast(sum(amount) as hugeint) as amount,
    {%- for months in (12, 24) %}
    cast(sum({{ divide_half_up(
        '(amount * ' ~ served('service_end', 'commits_until', 'cast(month_start + to_months(' ~ (months + 1) ~ ') as date)', "'ratable_month'") ~ ')',
        served('service_end', 'commits_until', 'commits_until', "'ratable_month'")
    ) }}) as hugeint) as amount_{{ months }}_months{{ ',' if not loop.last }}
    {%- endfor %}
from committed
group by tenant_id, contract_id, charge, period, as_of
