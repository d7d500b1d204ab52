-- From what was rated to the money that came for it, by currency.
select
    currency,
    coalesce(sum(amount) filter (where step = 'rated'), 0) as rated,
    coalesce(sum(amount) filter (where step = 'upcoming'), 0) as upcoming,
    coalesce(sum(amount) filter (where step = 'line'), 0) as invoiced,
    coalesce(sum(amount) filter (where step = 'tax'), 0) as tax,
    coalesce(sum(amount) filter (where step = 'paid'), 0) as paid,
    coalesce(sum(amount) filter (where step = 'open'), 0) as open_amount
from (
    select currency, 'rated' as step, amount from marts.rated_charges where tenant_id = $tenant
    union all
    select currency, 'upcoming', amount from marts.upcoming_invoice_lines where tenant_id = $tenant and line_type <> 'tax'
    union all
    select currency, case when line_type = 'tax' then 'tax' else 'line' end, amount from marts.invoice_lines where tenant_id = $tenant
    union all
    select currency, 'paid', amount from marts.payment_allocations where tenant_id = $tenant
    union all
    select currency, 'open', open_amount from marts.receivables where tenant_id = $tenant
) as steps
group by currency
order by currency
