-- What is wrong in one area, by class and age.
select
    status,
    currency,
    count(*) filter (where coalesce(age_days, 0) <= 7) as week,
    count(*) filter (where age_days between 8 and 30) as month,
    count(*) filter (where age_days between 31 and 90) as quarter,
    count(*) filter (where age_days > 90) as older,
    count(*) as items,
    sum(difference) as difference
from marts.reconciliation_items
where tenant_id = $tenant and area = $area and not list_contains($settled, status)
group by status, currency
order by items desc, status, currency
