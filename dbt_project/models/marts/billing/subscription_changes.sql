-- Everything that was told of each subscription and what became of it.
select
    events.tenant_id,
    events.subscription_id,
    events.customer_id,
    events.event_id,
    events.type,
    events.effective_at,
    events.recorded_at,
    folds.verdict,
    folds.effective_on as holds_from
from {{ ref('int_subscriptions__events') }} as events
inner join {{ ref('int_subscriptions__folds') }} as folds
    on
        events.tenant_id = folds.tenant_id
        and events.subscription_id = folds.subscription_id
        and events.event_order = folds.event_order
