-- What a line of the flux analysis is made of.
select
    coalesce(customers.name, items.customer_id, 'No customer') as customer,
    items.*
from marts.revenue_flux_items as items
left join marts.customers
    on
        items.tenant_id = customers.tenant_id
        and items.customer_id = customers.customer_id
where
    items.tenant_id = $tenant
    and items.comparison = $comparison
    and items.period = $period
    and items.account_role = $role
    and items.charge = $charge
    and items.currency = $currency
order by abs(items.change) desc, items.contract_id, items.plan, items.dimensions
