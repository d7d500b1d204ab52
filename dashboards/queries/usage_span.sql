-- The first and the last day on which usage arrived.
select
    min(received_on) as first,
    max(received_on) as last
from marts.usage_completeness
where tenant_id = $tenant
