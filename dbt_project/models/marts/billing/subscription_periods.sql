with

periods as (

    select * from {{ ref('int_subscriptions__periods') }}
    where is_begun

),

terms as (

    select * from {{ ref('int_subscriptions__terms') }}

)

select
    periods.tenant_id,
    periods.subscription_id,
    arg_max(terms.plan, terms.terms_no) as plan,
    periods.period_start,
    periods.period_end,
    periods.is_trial,
    periods.is_stub,
    cast(periods.days as integer) as days,
    cast(periods.cycle_days as integer) as cycle_days
from periods
inner join terms
    on
        periods.tenant_id = terms.tenant_id
        and periods.subscription_id = terms.subscription_id
        and periods.period_end > terms.starts_on
        and (terms.ends_on is null or periods.period_start < terms.ends_on)
group by all
