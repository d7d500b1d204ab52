-- Invoices whose movements need an order: those that a credit note, a void, a deadline or a decision touches, those that several
-- payments are for, or one whose money went back, came in parts, names no document or is for others too, and those of which a part may stay unpaid.
with

flows as (

    select * from {{ ref('int_payments__flows') }}

),

changed as (

    select distinct
        tenant_id,
        payment_id
    from {{ ref('int_payments__changes') }}
    where amount <> 0

),

named as {{ not_materialized() }}(

    select
        *,
        came_once <> 0 or (tenant_id, payment_id) in (select (tenant_id, payment_id) from changed) as brought_money,
        {{ hash_key('tenant_id', 'invoice_id') }} as invoice_key
    from {{ ref('int_payments__references') }}
    where problem is null and invoice_id is not null

),

invoices as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}
    where kind = 'invoice'

),

decisions as (

    select * from {{ ref('int_payments__decisions') }}
    where problem is null

),

-- Payments that are more than money that came once, stayed, and is for one document.
tied_payments as (

    select
        tenant_id,
        payment_id
    from flows
    where (tenant_id, payment_id) in (select (tenant_id, payment_id) from changed) or amount < 0
    group by tenant_id, payment_id
    having count(*) > 1 or min(amount) <= 0
    union
    select
        tenant_id,
        payment_id
    from {{ ref('int_payments__references') }}
    where rule_no > 1
    group by tenant_id, payment_id
    having count(*) > 1 or max(rule_no) >= 4
    union
    select
        tenant_id,
        payment_id
    from decisions
    union
    select
        tenant_id,
        payment_id
    from {{ ref('stg_ratehouse__intercompany_claims') }}

),

named_again as (

    select invoice_key
    from named
    group by invoice_key
    having count(*) > 1

),

-- Invoices that several payments name, of which only those count that brought money.
crowded as (

    select
        named.tenant_id,
        named.invoice_id
    from named
    inner join named_again on named.invoice_key = named_again.invoice_key
    where named.brought_money
    group by named.tenant_id, named.invoice_id
    having count(*) > 1

)

select
    tenant_id,
    invoice_id
from crowded
union
select
    named.tenant_id,
    named.invoice_id
from named
inner join tied_payments
    on
        named.tenant_id = tied_payments.tenant_id
        and named.payment_id = tied_payments.payment_id
where named.brought_money
union
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
    shortfalls.tenant_id,
    shortfalls.invoice_id
from {{ ref('int_payments__shortfalls') }} as shortfalls
inner join named
    on
        shortfalls.tenant_id = named.tenant_id
        and shortfalls.invoice_id = named.invoice_id
inner join flows
    on
        named.tenant_id = flows.tenant_id
        and named.payment_id = flows.payment_id
where shortfalls.amount_due - flows.amount <= shortfalls.tolerance_amount + shortfalls.withholding_amount
union
select
    invoices.tenant_id,
    invoices.invoice_id
from {{ ref('stg_ratehouse__adjustments') }} as adjustments
inner join invoices
    on
        adjustments.tenant_id = invoices.tenant_id
        and (adjustments.invoice_id = invoices.invoice_id or adjustments.invoice_number = invoices.invoice_number)
