-- Every subscription as it stands at billing_as_of: the span of its life that holds, its trial, its running period and what is known
-- of its end.
with

timeline as (

    select * from {{ ref('int_subscriptions__timeline') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

folds as (

    select
        folds.tenant_id,
        folds.subscription_id,
        min(events.effective_on) filter (where events.type = 'created') as started_on,
        arg_max(folds.trial_end, folds.event_order) filter (where folds.trial_end is not null) as first_billed_on
    from {{ ref('int_subscriptions__folds') }} as folds
    inner join {{ ref('int_subscriptions__events') }} as events
        on
            folds.tenant_id = events.tenant_id
            and folds.subscription_id = events.subscription_id
            and folds.event_order = events.event_order
    where folds.verdict = 'accepted'
    group by folds.tenant_id, folds.subscription_id

),

placed as (

    select
        timeline.*,
        {{ local_date('tenants.billing_as_of', 'timeline.timezone') }} as today,
        timeline.starts_at <= tenants.billing_as_of as has_begun,
        timeline.terms_no = max(timeline.terms_no) over (partition by timeline.tenant_id, timeline.subscription_id) as is_last
    from timeline
    inner join tenants on timeline.tenant_id = tenants.tenant_id

),

-- What holds now; of a subscription that has not begun, what will hold first.
standing as (

    select *
    from placed
    qualify row_number() over (
        partition by tenant_id, subscription_id order by has_begun desc, case when has_begun then -terms_no else terms_no end
    ) = 1

),

ahead as (

    select
        tenant_id,
        subscription_id,
        max(starts_on) filter (where is_last and billing = 'off') as ends_on,
        min(plan) filter (where not has_begun) as next_plan,
        min(starts_on) filter (where not has_begun and billing <> 'off') as next_change_on
    from placed
    group by tenant_id, subscription_id

),

running as (

    select
        periods.tenant_id,
        periods.subscription_id,
        periods.period_start,
        periods.period_end
    from {{ ref('int_subscriptions__periods') }} as periods
    inner join standing
        on
            periods.tenant_id = standing.tenant_id
            and periods.subscription_id = standing.subscription_id
            and periods.period_start <= standing.today
            and periods.period_end > standing.today
    qualify row_number() over (partition by periods.tenant_id, periods.subscription_id order by periods.period_start desc) = 1

)

select
    standing.tenant_id,
    standing.subscription_id,
    standing.customer_id,
    standing.plan,
    standing.price_book,
    standing.currency,
    standing.timezone,
    standing.today,
    standing.has_begun,
    standing.billing as terms_billing,
    folds.started_on,
    case when folds.first_billed_on > folds.started_on then folds.first_billed_on end as trial_end,
    running.period_start as current_period_start,
    running.period_end as current_period_end,
    ahead.ends_on,
    ahead.next_plan is distinct from standing.plan and ahead.next_plan is not null as will_change
from standing
inner join folds
    on
        standing.tenant_id = folds.tenant_id
        and standing.subscription_id = folds.subscription_id
left join ahead
    on
        standing.tenant_id = ahead.tenant_id
        and standing.subscription_id = ahead.subscription_id
left join running
    on
        standing.tenant_id = running.tenant_id
        and standing.subscription_id = running.subscription_id
