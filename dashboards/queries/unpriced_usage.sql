-- Metered usage that waits for a price.
select
    reference,
    status,
    subscription_id,
    charge,
    service_start,
    service_end,
    currency,
    age_days
from marts.reconciliation_items
where
    tenant_id = $tenant
    and area = 'usage'
order by age_days desc, reference
