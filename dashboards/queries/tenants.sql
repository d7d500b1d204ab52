-- Who a finance user may look at. The only query without a tenant.
select
    tenant_id,
    coalesce(name, tenant_id) as name,
    currency,
    timezone,
    billing_as_of,
    known_as_of
from marts.tenants
order by name, tenant_id
