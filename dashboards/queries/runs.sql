-- Issue runs, the latest first.
select
    run_key,
    billing_as_of,
    known_as_of,
    issued_at,
    documents,
    lines,
    code_version
from marts.runs
where tenant_id = $tenant
order by billing_as_of desc, issued_at desc
