-- Matches and exceptions, counted.
select
    area,
    status,
    currency,
    count(*) as items,
    sum(difference) as difference,
    max(age_days) as oldest_days
from marts.reconciliation_items
where tenant_id = $tenant
group by area, status, currency
order by area, status, currency
