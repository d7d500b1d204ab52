-- Invoices with which one payment or none has to do, nothing else, and no part of whose money goes anywhere else: their movements need no
-- order, and nearly all invoices are so. The payment settles what the invoice asks for, as far as it goes.
with

invoices as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}
    where kind = 'invoice'

),

tied_invoices as (

    select * from {{ ref('int_payments__tied_invoices') }}

),

named as {{ not_materialized() }}(

    select * from {{ ref('int_payments__references') }}
    where problem is null

),

payments as (

    select
        tenant_id,
        invoice_id,
        payment_id,
        rule_no,
        customer_id,
        1 as state_no,
        recorded_at as flowed_at,
        came_once as amount
    from named
    where came_once <> 0
    union all
    select
        named.tenant_id,
        named.invoice_id,
        named.payment_id,
        named.rule_no,
        named.customer_id,
        changes.state_no,
        changes.recorded_at as flowed_at,
        changes.amount
    from named
    inner join {{ ref('int_payments__changes') }} as changes
        on
            named.tenant_id = changes.tenant_id
            and named.payment_id = changes.payment_id
    where named.came_once is null and changes.source_type = 'payment' and changes.amount <> 0

)

select
    invoices.tenant_id,
    invoices.invoice_id,
    invoices.invoice_number,
    invoices.customer_id,
    invoices.currency,
    invoices.seq,
    invoices.issued_at,
    invoices.due_on,
    invoices.amount_due,
    payments.payment_id,
    case when payments.customer_id <> invoices.customer_id then payments.customer_id end as payer_id,
    payments.rule_no,
    payments.state_no,
    payments.flowed_at,
    payments.amount,
    cast(case
        when payments.amount > 0 and invoices.amount_due > 0 then least(payments.amount, invoices.amount_due)
        else 0
    end as decimal(20, 4)) as applied_amount
from invoices
left join tied_invoices
    on
        invoices.tenant_id = tied_invoices.tenant_id
        and invoices.invoice_id = tied_invoices.invoice_id
left join payments
    on
        invoices.tenant_id = payments.tenant_id
        and invoices.invoice_id = payments.invoice_id
where tied_invoices.invoice_id is null
