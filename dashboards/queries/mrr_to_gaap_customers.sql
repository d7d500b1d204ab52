-- One step of one month from MRR to revenue by customer, the largest first.
select
    coalesce(customers.name, bridge.customer_id, 'No customer') as customer,
    bridge.amount
from marts.mrr_to_gaap as bridge
left join marts.customers
    on
        bridge.tenant_id = customers.tenant_id
        and bridge.customer_id = customers.customer_id
where
    bridge.tenant_id = $tenant
    and bridge.currency = $currency
    and bridge.period = $period
    and bridge.step = $step
order by abs(bridge.amount) desc, customer
