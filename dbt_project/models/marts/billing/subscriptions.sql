-- Every subscription as it stands at billing_as_of, one column per axis of its state: where it is in its life, whether it is billed,
-- how it goes on, whether it is paid for, and what service it gets.
with

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

events as (

    select * from {{ ref('int_subscriptions__events') }}

),

folds as (

    select * from {{ ref('int_subscriptions__folds') }}
    where verdict = 'accepted'

),

activations as (

    select * from {{ ref('int_subscriptions__activations') }}

),

accepted as (

    select
        events.tenant_id,
        events.subscription_id,
        events.event_order,
        events.type,
        events.effective_on,
        events.locks_downgrades,
        folds.trial_end
    from events
    inner join folds
        on
            events.tenant_id = folds.tenant_id
            and events.subscription_id = folds.subscription_id
            and events.event_order = folds.event_order

),

starts as (

    select
        tenant_id,
        subscription_id,
        min(effective_on) filter (where type = 'created') as started_on,
        bool_or(locks_downgrades) as locks_downgrades,
        -- What the last event that laid a cycle says of the trial.
        arg_max(trial_end, event_order) as first_billed_on
    from accepted
    group by tenant_id, subscription_id

),

timeline as (

    select
        timeline.*,
        {{ local_date('tenants.billing_as_of', 'timeline.timezone') }} as as_of_on,
        timeline.starts_at <= tenants.billing_as_of as is_begun,
        timeline.starts_at <= tenants.billing_as_of and coalesce(timeline.ends_at > tenants.billing_as_of, true) as is_now
    from {{ ref('int_subscriptions__timeline') }} as timeline
    inner join tenants on timeline.tenant_id = tenants.tenant_id

),

-- Today's terms; of one that has not begun, those it will begin with.
standing as (

    select *
    from timeline
    qualify row_number() over (
        partition by tenant_id, subscription_id order by is_now desc, terms_no
    ) = 1

),

-- What is still to come: an end, or another plan.
wishes as (

    select
        standing.tenant_id,
        standing.subscription_id,
        min(timeline.starts_on) filter (where timeline.billing = 'off') as leaves_on,
        min(timeline.starts_on) filter (where timeline.plan <> standing.plan) as changes_on,
        arg_min(timeline.plan, timeline.starts_at) filter (where timeline.plan <> standing.plan) as next_plan
    from standing
    inner join timeline
        on
            standing.tenant_id = timeline.tenant_id
            and standing.subscription_id = timeline.subscription_id
            and standing.terms_no <= timeline.terms_no
    group by standing.tenant_id, standing.subscription_id

),

current_periods as (

    select
        standing.tenant_id,
        standing.subscription_id,
        min(periods.period_start) as period_start,
        min(periods.period_end) as period_end
    from standing
    inner join {{ ref('int_subscriptions__periods') }} as periods
        on
            standing.tenant_id = periods.tenant_id
            and standing.subscription_id = periods.subscription_id
            and standing.as_of_on >= periods.period_start
            and standing.as_of_on < periods.period_end
    group by standing.tenant_id, standing.subscription_id

),

-- Recurring fees of the running slices.
monthly as (

    select
        fees.tenant_id,
        fees.subscription_id,
        {{ round_money('cast(sum(fees.monthly_exact) as ' ~ exact_amount() ~ ')', 'min(fees.minor_digits)', "'half_up'") }} as mrr
    from {{ ref('int_rating__monthly_fees') }} as fees
    inner join standing
        on
            fees.tenant_id = standing.tenant_id
            and fees.subscription_id = standing.subscription_id
            and fees.service_start <= standing.as_of_on
            and fees.service_end > standing.as_of_on
    group by fees.tenant_id, fees.subscription_id

),

-- How far the collection of what it owes has come.
collections as (

    select * from {{ ref('int_dunning__collections') }}

),

stated as (

    select
        standing.*,
        starts.started_on,
        starts.locks_downgrades,
        case when starts.first_billed_on > starts.started_on then starts.first_billed_on end as trial_end,
        wishes.leaves_on,
        wishes.changes_on,
        wishes.next_plan,
        current_periods.period_start as current_period_start,
        current_periods.period_end as current_period_end,
        case
            when not standing.is_begun then 'pending_start'
            when activations.lifecycle in ('pending_activation', 'expired_activation') then activations.lifecycle
            when standing.billing = 'off' then 'ended'
            when starts.first_billed_on > standing.as_of_on then 'trialing'
            else 'active'
        end as lifecycle,
        coalesce(collections.collection, 'clear') as collection,
        coalesce(collections.service_access, 'full') as collected_access,
        coalesce(monthly.mrr, 0) as monthly_fees
    from standing
    inner join starts
        on
            standing.tenant_id = starts.tenant_id
            and standing.subscription_id = starts.subscription_id
    inner join wishes
        on
            standing.tenant_id = wishes.tenant_id
            and standing.subscription_id = wishes.subscription_id
    left join activations
        on
            standing.tenant_id = activations.tenant_id
            and standing.subscription_id = activations.subscription_id
    left join current_periods
        on
            standing.tenant_id = current_periods.tenant_id
            and standing.subscription_id = current_periods.subscription_id
    left join monthly
        on
            standing.tenant_id = monthly.tenant_id
            and standing.subscription_id = monthly.subscription_id
    left join collections
        on
            standing.tenant_id = collections.tenant_id
            and standing.subscription_id = collections.subscription_id

)

select
    tenant_id,
    subscription_id,
    customer_id,
    plan,
    price_book,
    cast(quantities as varchar) as quantities,
    lifecycle,
    collection,
    -- The worst of what its life, a pause and collection allow.
    case when lifecycle in ('active', 'trialing') and billing <> 'stop' then collected_access else 'blocked' end as service_access,
    case
        when lifecycle in ('ended', 'expired_activation') then 'off'
        when billing in ('stop', 'bill_and_hold') then 'paused'
        else billing
    end as billing,
    case when billing in ('stop', 'bill_and_hold') then billing end as pause_mode,
    case
        when lifecycle in ('ended', 'expired_activation') then null
        when leaves_on is not null then 'will_end'
        when changes_on is not null then 'will_change'
        when locks_downgrades then 'term_locked'
        else 'auto_renew'
    end as renewal,
    next_plan,
    case when next_plan is not null then changes_on end as changes_on,
    started_on,
    case when lifecycle in ('active', 'trialing') then current_period_start end as current_period_start,
    case when lifecycle in ('active', 'trialing') then current_period_end end as current_period_end,
    trial_end,
    leaves_on as ends_on,
    cast(case when lifecycle = 'active' and billing in ('on', 'bill_and_hold') then monthly_fees else 0 end as decimal(20, 4)) as mrr,
    currency,
    timezone
from stated
