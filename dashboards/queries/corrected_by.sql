-- The documents whose lines correct lines of one document.
select
    later.invoice_number,
    count(*) as lines,
    sum(later.amount) as amount
from marts.invoice_lines as earlier
inner join marts.invoice_lines as later
    on
        earlier.tenant_id = later.tenant_id
        and earlier.line_id = later.corrects_line_id
where
    earlier.tenant_id = $tenant
    and earlier.invoice_number = $number
group by later.invoice_number
order by later.invoice_number
