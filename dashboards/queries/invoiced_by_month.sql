-- What was invoiced, by month of the bill date, currency and kind of line.
select
    date_trunc('month', invoices.bill_date)::date as month,
    lines.currency,
    lines.line_type,
    sum(lines.amount) as amount
from marts.invoice_lines as lines
inner join marts.invoices as invoices
    on
        lines.tenant_id = invoices.tenant_id
        and lines.invoice_id = invoices.invoice_id
where lines.tenant_id = $tenant
group by all
order by all
