-- The checks of each month.
select
    period,
    check_name,
    status,
    difference,
    evidence,
    prepared_by,
    approved_by,
    content_hash
from marts.close_checklist
where tenant_id = $tenant
order by period desc, check_name
