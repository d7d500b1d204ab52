-- Invoices with which one payment or none has to do, nothing else, and no part of whose money goes anywhere else: their movements need no
-- order, and nearly all invoices are so.
with

invoices as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}
    where kind = 'invoice'

),

-- Money that came once and stayed.
flows as (

    select
        tenant_id,
        payment_id,
        any_value(flow_id) as flow_id,
        any_value(flowed_at) as flowed_at,
        any_value(amount) as amount,
        count(*) = 1 and min(amount) > 0 as is_lone
    from {{ ref('int_payments__flows') }}
    group by tenant_id, payment_id

),

-- What was named by money, and whether that money is for this invoice alone.
named as (

    select
        payment_references.tenant_id,
        payment_references.invoice_id,
        payment_references.payment_id,
        payment_references.rule,
        payment_references.rule_no < 4 and flows.is_lone as is_lone,
        flows.flow_id,
        flows.flowed_at,
        flows.amount
    from {{ ref('int_payments__references') }} as payment_references
    inner join flows
        on
            payment_references.tenant_id = flows.tenant_id
            and payment_references.payment_id = flows.payment_id
    where payment_references.problem is null and payment_references.invoice_id is not null

),

payments as (

    select
        tenant_id,
        invoice_id,
        any_value(columns(* exclude (tenant_id, invoice_id, is_lone))),
        count(*) = 1 and bool_and(is_lone) as is_lone
    from named
    group by tenant_id, invoice_id

),

decisions as (

    select * from {{ ref('int_payments__decisions') }}
    where problem is null

),

-- Payments that name two documents in one way, or that a person decided about.
shared as (

    select
        tenant_id,
        payment_id
    from named
    group by tenant_id, payment_id
    having count(*) > 1
    union
    select
        tenant_id,
        payment_id
    from decisions

),

-- Invoices with a credit note, a void, a deadline or a decision.
touched as (

    select
        tenant_id,
        invoice_id
    from decisions
    union
    select
        tenant_id,
        invoice_id
    from {{ ref('stg_ratehouse__credit_note_uses') }}
    union
    select
        tenant_id,
        invoice_id
    from {{ ref('int_payments__deadlines') }}
    where has_passed
    union
    select
        invoices.tenant_id,
        invoices.invoice_id
    from {{ ref('stg_ratehouse__adjustments') }} as adjustments
    inner join invoices
        on
            adjustments.tenant_id = invoices.tenant_id
            and (adjustments.invoice_id = invoices.invoice_id or adjustments.invoice_number = invoices.invoice_number)

)

select
    invoices.tenant_id,
    invoices.invoice_id,
    invoices.issued_at,
    invoices.amount_due,
    payments.payment_id,
    payments.rule,
    payments.flow_id,
    payments.flowed_at,
    payments.amount
from invoices
left join payments
    on
        invoices.tenant_id = payments.tenant_id
        and invoices.invoice_id = payments.invoice_id
where
    coalesce(payments.is_lone, true)
    and (invoices.tenant_id, invoices.invoice_id) not in (select (tenant_id, invoice_id) from touched)
    and (
        payments.payment_id is null
        or (payments.tenant_id, payments.payment_id) not in (select (tenant_id, payment_id) from shared)
    )
