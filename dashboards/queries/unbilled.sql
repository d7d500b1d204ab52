-- What is earned and not billed at a month end, by contract and age.
select
    coalesce(customers.name, unbilled.customer_id, 'No customer') as customer,
    unbilled.contract_id,
    unbilled.opening,
    unbilled.accrued,
    unbilled.invoiced,
    unbilled.other,
    unbilled.closing,
    unbilled.age_0_30,
    unbilled.age_31_60,
    unbilled.age_61_90,
    unbilled.age_over_90,
    unbilled.next_bill_on,
    unbilled.currency
from marts.unbilled_revenue as unbilled
left join marts.customers
    on
        unbilled.tenant_id = customers.tenant_id
        and unbilled.customer_id = customers.customer_id
where unbilled.tenant_id = $tenant and unbilled.period = $period and unbilled.currency = $currency
order by unbilled.closing desc, unbilled.contract_id
