-- What dunning does next if nothing is paid, the next first.
select
    dunning_outlook.due_on,
    coalesce(customers.name, dunning_outlook.customer_id) as customer,
    coalesce(invoices.invoice_number, 'all invoices') as invoice_number,
    dunning_outlook.step,
    dunning_outlook.action,
    dunning_outlook.amount,
    dunning_outlook.is_held
from marts.dunning_outlook
left join marts.invoices
    on
        dunning_outlook.tenant_id = invoices.tenant_id
        and dunning_outlook.invoice_id = invoices.invoice_id
left join marts.customers
    on
        dunning_outlook.tenant_id = customers.tenant_id
        and dunning_outlook.customer_id = customers.customer_id
where dunning_outlook.tenant_id = $tenant and dunning_outlook.currency = $currency
order by dunning_outlook.due_on, customer, invoice_number, dunning_outlook.action
