-- What credit notes gave back before tax, by month of issue, reason and currency.
select
    strftime(notes.issued_on, '%Y-%m') as period,
    coalesce(adjustments.reason_code, 'difference') as reason_code,
    notes.currency,
    -sum(lines.amount) as amount
from marts.invoices as notes
inner join marts.invoice_lines as lines
    on
        notes.tenant_id = lines.tenant_id
        and notes.invoice_id = lines.invoice_id
left join marts.adjustments as adjustments
    on
        lines.tenant_id = adjustments.tenant_id
        and lines.adjustment_id = adjustments.adjustment_id
where notes.tenant_id = $tenant and notes.kind = 'credit_note' and notes.invoice_number is not null and lines.line_type <> 'tax'
group by all
order by all
