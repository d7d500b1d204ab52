-- The lines of documents behind a contract: of its subscription, or on documents that it posted.
select
    invoices.bill_date,
    invoices.invoice_number,
    lines.line_no,
    coalesce(lines.charge, '') as charge,
    lines.line_type,
    concat_ws(' to ', lines.service_start, lines.service_end - 1) as service,
    lines.amount,
    lines.currency
from marts.invoice_lines as lines
inner join marts.invoices
    on
        lines.tenant_id = invoices.tenant_id
        and lines.invoice_id = invoices.invoice_id
where
    lines.tenant_id = $tenant
    and lines.line_type <> 'tax'
    and invoices.invoice_number is not null
    and (
        lines.subscription_id = $contract
        or (
            lines.invoice_id in (
                select journal.invoice_id
                from marts.journal_entries as journal
                where journal.tenant_id = $tenant and journal.contract_id = $contract
            )
            and not exists (
                select 1
                from marts.revenue_by_period as revenue
                where revenue.tenant_id = $tenant and revenue.contract_id = lines.subscription_id
            )
        )
    )
order by invoices.bill_date desc, invoices.invoice_number, lines.line_no
