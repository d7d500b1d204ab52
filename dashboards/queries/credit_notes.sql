-- Every credit note with what it corrects, why, by whom, and what is left of it.
with

behind as (

    select
        lines.invoice_id,
        string_agg(distinct corrected.invoice_number, ', ' order by corrected.invoice_number) as corrects,
        string_agg(distinct adjustments.reason_code, ', ' order by adjustments.reason_code) as reason_codes,
        string_agg(distinct adjustments.requested_by, ', ' order by adjustments.requested_by) as requested_by,
        string_agg(distinct adjustments.decided_by, ', ' order by adjustments.decided_by) as decided_by
    from marts.invoice_lines as lines
    left join marts.invoice_lines as corrected
        on
            lines.tenant_id = corrected.tenant_id
            and lines.corrects_line_id = corrected.line_id
    left join marts.adjustments as adjustments
        on
            lines.tenant_id = adjustments.tenant_id
            and lines.adjustment_id = adjustments.adjustment_id
    where lines.tenant_id = $tenant
    group by lines.invoice_id

)

select
    notes.invoice_number,
    coalesce(notes.bill_to_name, notes.customer_id) as customer,
    notes.issued_on,
    behind.corrects,
    behind.reason_codes,
    behind.requested_by,
    behind.decided_by,
    notes.total,
    cast(coalesce(balances.remaining, 0) as decimal(20, 4)) as left_amount,
    notes.currency
from marts.invoices as notes
inner join behind on notes.invoice_id = behind.invoice_id
left join marts.credit_balances as balances
    on
        notes.tenant_id = balances.tenant_id
        and notes.invoice_number = balances.grant_id
        and balances.kind = 'credit_note'
where notes.tenant_id = $tenant and notes.kind = 'credit_note' and notes.invoice_number is not null
order by notes.issued_on desc, notes.invoice_number desc
