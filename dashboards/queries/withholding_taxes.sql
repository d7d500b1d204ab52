-- Taxes that customers kept, what waits for a certificate first, the oldest first.
select
    withholdings.invoice_number,
    coalesce(customers.name, withholdings.customer_id) as customer,
    withholdings.withheld_on,
    withholdings.age_days,
    withholdings.withheld_amount,
    withholdings.certified_amount,
    withholdings.waiting_amount,
    withholdings.certificate_numbers,
    withholdings.currency
from marts.withholding_taxes as withholdings
left join marts.customers as customers
    on
        withholdings.tenant_id = customers.tenant_id
        and withholdings.customer_id = customers.customer_id
where withholdings.tenant_id = $tenant
order by withholdings.waiting_amount > 0 desc, withholdings.age_days desc, withholdings.invoice_number
