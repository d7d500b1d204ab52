-- The whole life of a subscription: one row per span in which nothing about it changes, billed or not.
-- With method day a change holds from the start of the customer's local day, and of several on one day the last one holds.
-- depends_on: {{ ref('int_subscriptions__changed_lives') }}
{{ config(materialized='by_subscription', changes='lives') }}
with

events as (

    select * from {{ ref('int_subscriptions__events') }}

),

folds as (

    select * from {{ ref('int_subscriptions__folds') }}
    where verdict = 'accepted'

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

-- A subscription that starts, comes back or renews lays its term anew.
terms as (

    select
        events.tenant_id,
        events.subscription_id,
        events.event_order,
        folds.term_ends_on
    from events
    inner join folds
        on
            events.tenant_id = folds.tenant_id
            and events.subscription_id = folds.subscription_id
            and events.event_order = folds.event_order
    where events.type in ('created', 'reactivated') or (events.type = 'renewed' and folds.term_ends_on is not null)
    qualify row_number() over (partition by events.tenant_id, events.subscription_id order by events.event_order desc) = 1

),

-- Renewals of terms with an uplift, so far that the next periods are priced by them.
numbered_renewals as (

    select
        events.*,
        unnest(range(1, (datediff('month', events.effective_on, cast(tenants.billing_as_of as date)) + 24) // events.term_months + 2)) as renewal
    from events
    inner join tenants on events.tenant_id = tenants.tenant_id
    where events.type = 'created' and events.term_uplift_percent > 0 and events.term_months > 0 and not events.ends_with_term

),

renewals as (

    select
        *,
        cast({{ period_boundary('effective_on', 'day(effective_on)', 'term_months', 'null', 'renewal') }} as date) as renews_on,
        {{ compounded('term_uplift_percent', 'renewal') }} as price_factor
    from numbered_renewals

),

changes as (

    select
        events.tenant_id,
        events.subscription_id,
        events.customer_id,
        events.event_id,
        events.timezone,
        events.currency,
        events.proration_method,
        events.event_order,
        folds.effective_on,
        case
            when events.proration_method = 'second' and folds.effective_on = events.effective_on then events.effective_at
            else {{ start_of_day('folds.effective_on', 'events.timezone') }}
        end as starts_at,
        events.plan,
        events.price_book,
        events.quantities,
        events.overrides,
        events.billing
    from events
    inner join folds
        on
            events.tenant_id = folds.tenant_id
            and events.subscription_id = folds.subscription_id
            and events.event_order = folds.event_order
    union all by name
    -- The end of a term that does not renew, as the last word on it has it.
    select
        terms.tenant_id,
        terms.subscription_id,
        events.customer_id,
        events.event_id,
        events.timezone,
        events.currency,
        events.proration_method,
        events.event_order,
        terms.term_ends_on as effective_on,
        {{ start_of_day('terms.term_ends_on', 'events.timezone') }} as starts_at,
        'off' as billing
    from terms
    inner join events
        on
            terms.tenant_id = events.tenant_id
            and terms.subscription_id = events.subscription_id
            and terms.event_order = events.event_order
    where terms.term_ends_on is not null
    union all by name
    -- A term that renews itself at higher prices.
    select
        tenant_id,
        subscription_id,
        customer_id,
        event_id,
        timezone,
        currency,
        proration_method,
        event_order,
        renews_on as effective_on,
        {{ start_of_day('renews_on', 'timezone') }} as starts_at,
        price_factor
    from renewals

),

folded as (

    select
        tenant_id,
        subscription_id,
        customer_id,
        event_id,
        starts_at,
        effective_on as starts_on,
        timezone,
        currency,
        proration_method,
        last_value(plan ignore nulls) over history as plan,
        last_value(price_book ignore nulls) over history as price_book,
        {{ fold_json_patches('quantities', 'history') }} as quantities,
        {{ fold_json_patches('overrides', 'history') }} as overrides,
        last_value(billing ignore nulls) over history as billing,
        coalesce(last_value(price_factor ignore nulls) over history, 1) as price_factor,
        lead(starts_at) over history as ends_at,
        lead(effective_on) over history as ends_on
    from changes
    window history as (
        partition by tenant_id, subscription_id order by starts_at, event_order
        rows between unbounded preceding and current row
    )

),

spans as (

    select
        *,
        row_number() over (partition by tenant_id, subscription_id order by starts_at) as terms_no
    from folded
    -- Of several at one instant the last one holds.
    where starts_at is distinct from ends_at

)

select
    tenant_id,
    subscription_id,
    customer_id,
    terms_no,
    starts_at,
    ends_at,
    starts_on,
    ends_on,
    timezone,
    currency,
    proration_method,
    plan,
    price_book,
    quantities,
    overrides,
    billing,
    price_factor,
    event_id as cause_event_id
from spans
