-- What the dunning ladders do next and did last, the next first.
select
    dunning_actions.invoice_id,
    invoices.invoice_number,
    coalesce(customers.name, dunning_actions.customer_id) as customer,
    dunning_actions.step,
    dunning_actions.action,
    dunning_actions.due_at,
    dunning_actions.amount,
    dunning_actions.currency,
    dunning_actions.status
from marts.dunning_actions
left join marts.invoices
    on
        dunning_actions.tenant_id = invoices.tenant_id
        and dunning_actions.invoice_id = invoices.invoice_id
left join marts.customers
    on
        dunning_actions.tenant_id = customers.tenant_id
        and dunning_actions.customer_id = customers.customer_id
where dunning_actions.tenant_id = $tenant and dunning_actions.currency = $currency
order by dunning_actions.due_at desc, invoices.invoice_number, dunning_actions.action
