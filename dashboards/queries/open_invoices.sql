-- Open invoices of one currency, the longest overdue first.
select
    receivables.invoice_id,
    receivables.invoice_number,
    coalesce(customers.name, receivables.customer_id) as customer,
    receivables.due_on,
    receivables.days_overdue,
    receivables.total,
    receivables.open_amount,
    receivables.disputed
from marts.receivables
left join marts.customers
    on
        receivables.tenant_id = customers.tenant_id
        and receivables.customer_id = customers.customer_id
where receivables.tenant_id = $tenant and receivables.currency = $currency
order by receivables.days_overdue desc, receivables.open_amount desc, receivables.invoice_number
