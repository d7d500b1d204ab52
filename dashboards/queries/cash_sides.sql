-- The sides of an item as their own systems tell them: what it is about, and what it is matched with.
with

named as (

    select
        $reference as reference,
        1 as side
    union all
    select
        unnest(string_split($counterpart, ', ')) as reference,
        2 as side

)

select
    named.side,
    records.kind,
    records.reference,
    records.amount,
    records.currency,
    records.dated_on,
    records.status,
    coalesce(customers.name, records.customer_id) as customer,
    records.details
from named
inner join (
    select * from marts.cash_records
    where tenant_id = $tenant
    union all by name
    select
        invoices.tenant_id,
        'invoice' as kind,
        invoices.invoice_number as reference,
        invoices.amount_due as amount,
        invoices.currency,
        invoices.due_on as dated_on,
        invoices.status,
        invoices.customer_id,
        'open ' || coalesce(cast(receivables.open_amount as varchar), '0') as details
    from marts.invoices
    left join marts.receivables
        on
            invoices.tenant_id = receivables.tenant_id
            and invoices.invoice_id = receivables.invoice_id
    where invoices.tenant_id = $tenant
) as records on named.reference = records.reference
left join marts.customers
    on
        records.tenant_id = customers.tenant_id
        and records.customer_id = customers.customer_id
order by named.side, records.kind, records.reference
