-- The life of one subscription.
select
    span_no,
    state,
    plan,
    price_book,
    quantities,
    starts_on,
    ends_on,
    cause
from marts.subscription_timeline
where
    tenant_id = $tenant
    and subscription_id = $subscription
order by span_no
