-- The bridge of monthly recurring revenue from month end to month end; of the running month, up to billing_as_of. Movements carry
-- their sign: opening + new + expansion + contraction + churn + reactivation = closing. A customer moves as a whole: what one of its
-- subscriptions gains and another loses in a month is one movement, once for each currency.
with

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

activations as (

    select * from {{ ref('int_subscriptions__activations') }}

),

-- Terms that are billed, with the last day that may be looked at: the customer's. Months are those that have begun where the seller
-- is, so that the bridges of all customers end with the same month.
timeline as (

    select
        timeline.tenant_id,
        timeline.subscription_id,
        timeline.starts_on,
        timeline.ends_on,
        {{ local_date('tenants.billing_as_of', 'timeline.timezone') }} as as_of_on,
        {{ local_date('tenants.billing_as_of', 'tenants.timezone') }} as reported_on
    from {{ ref('int_subscriptions__timeline') }} as timeline
    inner join tenants on timeline.tenant_id = tenants.tenant_id
    left join activations
        on
            timeline.tenant_id = activations.tenant_id
            and timeline.subscription_id = activations.subscription_id
    where
        timeline.billing in ('on', 'bill_and_hold')
        and coalesce(activations.lifecycle, 'active') = 'active'

),

fees as (

    select
        fees.tenant_id,
        fees.customer_id,
        fees.currency,
        fees.minor_digits,
        fees.monthly_exact,
        timeline.as_of_on,
        timeline.reported_on,
        greatest(fees.service_start, timeline.starts_on) as starts_on,
        least(fees.service_end, coalesce(timeline.ends_on, fees.service_end)) as ends_on
    from {{ ref('int_rating__monthly_fees') }} as fees
    inner join timeline
        on
            fees.tenant_id = timeline.tenant_id
            and fees.subscription_id = timeline.subscription_id
            and timeline.starts_on < fees.service_end
            and coalesce(timeline.ends_on > fees.service_start, true)

),

months as (

    select
        tenant_id,
        customer_id,
        currency,
        minor_digits,
        as_of_on,
        cast(unnest(generate_series(
            cast(date_trunc('month', starts_on) as timestamp), cast(reported_on as timestamp), to_months(1)
        )) as date) as month_start
    from (
        select
            tenant_id,
            customer_id,
            currency,
            min(minor_digits) as minor_digits,
            min(starts_on) as starts_on,
            max(as_of_on) as as_of_on,
            max(reported_on) as reported_on
        from fees
        group by tenant_id, customer_id, currency
    ) as customers

),

closings as (

    select
        months.tenant_id,
        months.customer_id,
        months.currency,
        months.month_start,
        {{ round_money('cast(coalesce(sum(fees.monthly_exact), 0) as ' ~ exact_amount() ~ ')', 'min(months.minor_digits)', "'half_up'") }} as closing
    from months
    left join fees
        on
            months.tenant_id = fees.tenant_id
            and months.customer_id = fees.customer_id
            and months.currency = fees.currency
            and least(last_day(months.month_start), months.as_of_on) >= fees.starts_on
            and least(last_day(months.month_start), months.as_of_on) < fees.ends_on
    group by months.tenant_id, months.customer_id, months.currency, months.month_start

),

bridged as (

    select
        *,
        cast(coalesce(lag(closing) over months, 0) as decimal(20, 4)) as opening,
        closing - coalesce(lag(closing) over months, 0) as movement,
        coalesce(bool_or(closing <> 0) over (months rows between unbounded preceding and 1 preceding), false) as was_customer
    from closings
    window months as (partition by tenant_id, customer_id, currency order by month_start)

)

select
    tenant_id,
    customer_id,
    strftime(month_start, '%Y-%m') as period,
    opening,
    cast(case when opening = 0 and not was_customer then movement else 0 end as decimal(20, 4)) as new,
    cast(case when opening <> 0 and closing <> 0 and movement > 0 then movement else 0 end as decimal(20, 4)) as expansion,
    cast(case when opening <> 0 and closing <> 0 and movement < 0 then movement else 0 end as decimal(20, 4)) as contraction,
    cast(case when opening <> 0 and closing = 0 then movement else 0 end as decimal(20, 4)) as churn,
    cast(case when opening = 0 and was_customer then movement else 0 end as decimal(20, 4)) as reactivation,
    closing,
    currency
from bridged
where opening <> 0 or closing <> 0
