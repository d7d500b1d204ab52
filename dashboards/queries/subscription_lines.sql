-- What was billed for one subscription and for which days, in the order of service.
select
    lines.line_no,
    invoices.invoice_number,
    invoices.bill_date,
    invoices.kind,
    coalesce(lines.charge_description, lines.charge) as charge,
    lines.charge_position,
    lines.line_type,
    lines.plan,
    lines.service_start,
    lines.service_end,
    lines.quantity,
    lines.amount,
    lines.currency
from marts.invoice_lines as lines
inner join marts.invoices as invoices
    on
        lines.tenant_id = invoices.tenant_id
        and lines.invoice_id = invoices.invoice_id
where
    lines.tenant_id = $tenant
    and lines.subscription_id = $subscription
order by lines.service_start desc, lines.charge_position, lines.charge, invoices.bill_date, lines.line_no
