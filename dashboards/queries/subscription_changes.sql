-- What was told of one subscription, the latest first.
select
    type,
    effective_at,
    recorded_at,
    verdict,
    holds_from
from marts.subscription_changes
where
    tenant_id = $tenant
    and subscription_id = $subscription
order by effective_at desc, recorded_at desc, event_id desc
