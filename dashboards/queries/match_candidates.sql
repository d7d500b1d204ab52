-- What could be the other side, the nearest amount first and then the nearest day.
with

candidates as (

    select
        kind,
        reference,
        amount,
        dated_on,
        details
    from marts.cash_records
    where tenant_id = $tenant and currency = $currency and status not in ('failed', 'cancelled', 'canceled')
    union all
    select
        'invoice' as kind,
        invoices.invoice_number as reference,
        receivables.open_amount as amount,
        invoices.due_on as dated_on,
        coalesce(customers.name, invoices.customer_id) as details
    from marts.receivables
    inner join marts.invoices
        on
            receivables.tenant_id = invoices.tenant_id
            and receivables.invoice_id = invoices.invoice_id
    left join marts.customers
        on
            invoices.tenant_id = customers.tenant_id
            and invoices.customer_id = customers.customer_id
    where receivables.tenant_id = $tenant and receivables.currency = $currency and receivables.open_amount > 0

),

taken as (

    select
        area,
        reference
    from marts.reconciliation_items
    where tenant_id = $tenant and status in ('matched', 'accepted')
    union
    select
        area,
        unnest(string_split(counterpart, ', ')) as reference
    from marts.reconciliation_items
    where tenant_id = $tenant and status in ('matched', 'accepted')

)

select
    kind,
    reference,
    amount,
    dated_on,
    details
from candidates
where
    list_contains(string_split($kinds, ','), kind)
    and (kind in ('invoice', 'payout') or reference not in (select reference from taken where area = $area))
order by abs(amount - cast($amount as decimal(20, 4))), abs(datediff('day', dated_on, cast($near as date))), reference
limit 50
