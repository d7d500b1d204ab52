-- Documents, the newest first or the largest first; a filter that is null lets everything pass.
with

lines as (

    select
        invoice_id,
        count(*) as lines,
        count(*) filter (where line_type = 'adjustment') as adjustments
    from marts.invoice_lines
    where tenant_id = $tenant
    group by invoice_id

)

select
    invoices.invoice_number,
    coalesce(invoices.bill_to_name, invoices.customer_id) as customer,
    invoices.kind,
    invoices.status,
    invoices.bill_date,
    invoices.due_on,
    invoices.currency,
    invoices.total,
    invoices.amount_due,
    lines.lines,
    lines.adjustments
from marts.invoices as invoices
inner join lines on invoices.invoice_id = lines.invoice_id
where
    invoices.tenant_id = $tenant
    and ($month is null or date_trunc('month', invoices.bill_date) = $month)
    and ($customer is null or invoices.customer_id = $customer)
    and ($status is null or invoices.status = $status)
    and ($currency is null or invoices.currency = $currency)
    and ($kind is null or invoices.kind = $kind)
    and ($run is null or invoices.run_key = $run)
    and ($search is null or contains(lower(invoices.invoice_number), lower($search)))
order by
    case when $largest_first then invoices.currency end,
    case when $largest_first then invoices.total end desc,
    invoices.bill_date desc,
    invoices.invoice_number desc
limit $limit
