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

payments as (

    select
        payment_references.tenant_id,
        payment_references.invoice_id,
        payment_references.payment_id,
        payment_references.rule_no,
        payment_references.rule,
        flows.state_no,
        flows.flowed_at,
        flows.amount
    from {{ ref('int_payments__references') }} as payment_references
    inner join {{ ref('int_payments__flows') }} as flows
        on
            payment_references.tenant_id = flows.tenant_id
            and payment_references.payment_id = flows.payment_id
    where payment_references.problem is null

)

select
    invoices.tenant_id,
    invoices.invoice_id,
    invoices.invoice_number,
    invoices.customer_id,
    invoices.currency,
    invoices.series,
    invoices.seq,
    invoices.issued_at,
    invoices.due_on,
    invoices.amount_due,
    payments.payment_id,
    payments.rule_no,
    payments.rule,
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
