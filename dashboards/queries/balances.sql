-- The balances of every contract at a month end, never netted across contracts.
select
    coalesce(customers.name, balances.customer_id, 'No customer') as customer,
    balances.contract_id,
    coalesce(allocations.allocated, 0) as price,
    balances.billed,
    balances.recognised,
    balances.receivable,
    balances.contract_asset,
    balances.contract_liability,
    balances.liability_current,
    balances.contract_liability - balances.liability_current as liability_later,
    balances.refund_liability,
    balances.currency
from marts.contract_balances as balances
left join (
    select
        contract_id,
        sum(allocated) as allocated
    from marts.obligation_allocations
    where tenant_id = $tenant
    group by contract_id
) as allocations on balances.contract_id = allocations.contract_id
left join marts.customers
    on
        balances.tenant_id = customers.tenant_id
        and balances.customer_id = customers.customer_id
where balances.tenant_id = $tenant and balances.period = $period and balances.currency = $currency
order by greatest(balances.contract_liability, balances.contract_asset) desc, balances.contract_id
