-- The spans of a subscription that are billed, with the terms they are billed by. One that was never paid for never began.
select timeline.*
from {{ ref('int_subscriptions__timeline') }} as timeline
left join {{ ref('int_subscriptions__activations') }} as activations
    on
        timeline.tenant_id = activations.tenant_id
        and timeline.subscription_id = activations.subscription_id
where
    timeline.billing in ('on', 'bill_and_hold')
    and coalesce(activations.lifecycle <> 'expired_activation', true)
