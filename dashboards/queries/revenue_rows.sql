-- The revenue of a month by contract and obligation, of one method.
select
    coalesce(customers.name, revenue.customer_id, 'No customer') as customer,
    revenue.contract_id,
    revenue.obligation_id,
    revenue.period,
    revenue.recognised,
    revenue.prior_performance,
    revenue.currency
from marts.revenue_by_period as revenue
left join marts.customers
    on
        revenue.tenant_id = customers.tenant_id
        and revenue.customer_id = customers.customer_id
where
    revenue.tenant_id = $tenant
    and revenue.posting_period = $period
    and revenue.currency = $currency
    and revenue.method = $method
order by abs(revenue.recognised) desc, revenue.contract_id, revenue.obligation_id, revenue.period
