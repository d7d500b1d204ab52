-- The contracts behind the run-off of one month of billing.
select
    coalesce(customers.name, waterfall.customer_id, 'No customer') as customer,
    waterfall.contract_id,
    coalesce(waterfall.booked_period, 'Interest') as booked,
    coalesce(waterfall.future_period, 'Not dated') as recognised_in,
    waterfall.amount,
    waterfall.currency
from marts.deferred_revenue_waterfall as waterfall
left join marts.customers
    on
        waterfall.tenant_id = customers.tenant_id
        and waterfall.customer_id = customers.customer_id
where waterfall.tenant_id = $tenant and waterfall.currency = $currency and coalesce(waterfall.booked_period, 'Interest') = $booked
order by waterfall.contract_id, recognised_in
