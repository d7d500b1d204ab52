-- Subscriptions that were left before the term they were bound to was over, where leaving early has a price.
with

events as (

    select * from {{ ref('int_subscriptions__events') }}

),

cancellations as (

    select * from {{ ref('int_subscriptions__folds') }}
    where verdict = 'accepted' and term_ends_on is not null

),

ends as (

    select * from {{ ref('int_subscriptions__timeline') }}
    where billing = 'off'

),

terms as (

    select * from events
    where type = 'created' and early_termination in ('fee', 'remaining')

)

select
    events.tenant_id,
    events.subscription_id,
    events.customer_id,
    events.event_id,
    events.timezone,
    events.currency,
    ends.plan,
    ends.price_book,
    ends.starts_on as left_on,
    ends.starts_at as left_at,
    cancellations.term_ends_on,
    terms.early_termination,
    terms.termination_fee
from events
inner join cancellations
    on
        events.tenant_id = cancellations.tenant_id
        and events.subscription_id = cancellations.subscription_id
        and events.event_order = cancellations.event_order
inner join ends
    on
        events.tenant_id = ends.tenant_id
        and events.subscription_id = ends.subscription_id
        and events.event_id = ends.cause_event_id
inner join terms
    on
        events.tenant_id = terms.tenant_id
        and events.subscription_id = terms.subscription_id
where events.type = 'cancelled' and ends.starts_on < cancellations.term_ends_on
