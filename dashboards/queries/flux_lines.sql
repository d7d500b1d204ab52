-- The flux analysis of a tenant.
select *
from marts.revenue_flux
where tenant_id = $tenant and comparison = $comparison
order by period desc, abs(coalesce(functional_change, change)) desc, charge, currency, account_role
