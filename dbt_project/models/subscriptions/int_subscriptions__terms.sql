-- The terms of a subscription over time: one row per span in which nothing about it changes.
-- State is a fold over (effective_at, recorded_at, event_id); with method day a change takes effect at the start of
-- the customer's local day, and of several on one day the last one holds.
with

events as (

    select * from {{ ref('int_subscriptions__events') }}

),

folded as (

    select
        tenant_id,
        subscription_id,
        customer_id,
        event_id,
        starts_at,
        starts_on,
        timezone,
        currency,
        proration_method,
        last_value(plan ignore nulls) over history as plan,
        last_value(price_book ignore nulls) over history as price_book,
        {{ fold_json_patches('quantities', 'history') }} as quantities,
        {{ fold_json_patches('overrides', 'history') }} as overrides,
        last_value(service ignore nulls) over history as service,
        row_number() over (partition by tenant_id, subscription_id, starts_at order by event_order desc) as recency
    from events
    window history as (
        partition by tenant_id, subscription_id order by event_order
        rows between unbounded preceding and current row
    )

),

spans as (

    select
        * exclude (recency),
        row_number() over later as terms_no,
        lead(starts_at) over later as ends_at,
        lead(starts_on) over later as ends_on
    from folded
    where recency = 1
    window later as (partition by tenant_id, subscription_id order by starts_at)

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
    event_id as cause_event_id
from spans
where service = 'on'
