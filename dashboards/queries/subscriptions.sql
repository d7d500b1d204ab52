-- Subscriptions as they stand, those that bring most first; a filter that is null lets everything pass.
select
    subscriptions.subscription_id,
    coalesce(customers.name, subscriptions.customer_id) as customer,
    subscriptions.plan,
    subscriptions.lifecycle,
    subscriptions.billing,
    subscriptions.renewal,
    subscriptions.collection,
    subscriptions.started_on,
    subscriptions.current_period_end,
    subscriptions.ends_on,
    subscriptions.mrr,
    subscriptions.currency
from marts.subscriptions as subscriptions
left join marts.customers as customers
    on
        subscriptions.tenant_id = customers.tenant_id
        and subscriptions.customer_id = customers.customer_id
where
    subscriptions.tenant_id = $tenant
    and ($lifecycle is null or subscriptions.lifecycle = $lifecycle)
    and ($plan is null or subscriptions.plan = $plan)
    and ($search is null or contains(lower(concat_ws(' ', subscriptions.subscription_id, subscriptions.customer_id, customers.name)), lower($search)))
order by subscriptions.mrr desc, subscriptions.subscription_id
limit $limit
