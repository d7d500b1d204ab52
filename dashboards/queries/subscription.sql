-- One subscription as it stands.
select
    subscriptions.*,
    coalesce(customers.name, subscriptions.customer_id) as customer
from marts.subscriptions as subscriptions
left join marts.customers as customers
    on
        subscriptions.tenant_id = customers.tenant_id
        and subscriptions.customer_id = customers.customer_id
where
    subscriptions.tenant_id = $tenant
    and subscriptions.subscription_id = $subscription
