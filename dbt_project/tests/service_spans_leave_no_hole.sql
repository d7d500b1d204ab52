-- Identity 4, second half. Every instant at which a charge is in force inside a billing period lies in one of its slices: the lengths of
-- the slices add up to the lengths of the terms inside the periods, free trials apart. Fails when service is given that nothing
-- owes for.
with

terms_charges as (

    select
        terms_charges.tenant_id,
        terms_charges.subscription_id,
        terms_charges.charge,
        terms_charges.timezone,
        terms_charges.proration_method,
        charges.type = 'usage' and terms_charges.trial_usage = 'billed' as is_owed_in_trials,
        terms_charges.starts_at,
        coalesce(terms_charges.ends_at, cast('9999-01-01' as timestamp with time zone)) as ends_at
    from {{ ref('int_rating__terms_charges') }} as terms_charges
    inner join {{ ref('int_rating__charges') }} as charges on terms_charges.charge_key = charges.charge_key
    where charges.type <> 'one_time'

),

periods as (

    select
        *,
        coalesce(lead(period_start) over (partition by tenant_id, subscription_id order by period_start) <> period_end, true) as is_followed_by_none
    from {{ ref('int_subscriptions__periods') }}

),

-- A period ends with its last day; of what is prorated by the second, a subscription's last one ends with the subscription.
bounded as (

    select
        terms_charges.*,
        {{ start_of_day('periods.period_start', 'terms_charges.timezone') }} as period_start_at,
        case
            when
                terms_charges.proration_method = 'second'
                and periods.is_followed_by_none
                and {{ local_date('terms_charges.ends_at', 'terms_charges.timezone') }} = periods.period_end
                then terms_charges.ends_at
            else {{ start_of_day('periods.period_end', 'terms_charges.timezone') }}
        end as period_end_at
    from terms_charges
    inner join periods
        on
            terms_charges.tenant_id = periods.tenant_id
            and terms_charges.subscription_id = periods.subscription_id
    where not periods.is_trial or terms_charges.is_owed_in_trials

),

in_force as (

    select
        tenant_id,
        subscription_id,
        charge,
        sum(greatest(epoch_us(least(period_end_at, ends_at)) - epoch_us(greatest(period_start_at, starts_at)), 0)) as microseconds
    from bounded
    group by tenant_id, subscription_id, charge

),

sliced as (

    select
        tenant_id,
        subscription_id,
        charge,
        sum(epoch_us(service_end_at) - epoch_us(service_start_at)) as microseconds
    from {{ ref('int_proration__slices') }}
    where type <> 'one_time' and not is_forgone
    group by tenant_id, subscription_id, charge

)

select
    in_force.tenant_id,
    in_force.subscription_id,
    in_force.charge,
    in_force.microseconds as in_force_microseconds,
    sliced.microseconds as sliced_microseconds
from in_force
left join sliced
    on
        in_force.tenant_id = sliced.tenant_id
        and in_force.subscription_id = sliced.subscription_id
        and in_force.charge = sliced.charge
where in_force.microseconds <> coalesce(sliced.microseconds, 0)
