-- Decisions of people about which document a payment is for, each for as long as it stands. The money of a payment stays with the one
-- customer whose document it was for first, by rule or by decision; a decision for another customer's or another currency's document has
-- no effect, and says so.
with

decisions as (

    select * from {{ ref('stg_ratehouse__manual_matches') }}
    where area = 'cash'

),

payments as (

    select * from {{ ref('stg_ratehouse__payments') }}

),

invoices as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}
    where kind = 'invoice'

),

named as (

    select
        decisions.tenant_id,
        decisions.match_id,
        decisions.left_reference as payment_id,
        decisions.right_reference,
        decisions.action,
        decisions.decided_by,
        decisions.decided_at,
        decisions.replaced_at,
        payments.currency as payment_currency,
        invoices.invoice_id,
        invoices.customer_id as owner_id,
        invoices.currency
    from decisions
    left join payments
        on
            decisions.tenant_id = payments.tenant_id
            and decisions.left_reference = payments.payment_id
    left join invoices
        on
            decisions.tenant_id = invoices.tenant_id
            and decisions.right_reference in (invoices.invoice_number, invoices.invoice_id)

),

decided as (

    select distinct
        tenant_id,
        payment_id
    from named

),

received as (

    select
        tenant_id,
        payment_id,
        min(flowed_at) as flowed_at
    from {{ ref('int_payments__flows') }}
    where amount > 0 and (tenant_id, payment_id) in (select (tenant_id, payment_id) from decided)
    group by tenant_id, payment_id

),

-- Where each way of finding a document would have put the money, and since when.
claims as (

    select
        payment_references.tenant_id,
        payment_references.payment_id,
        min(invoices.customer_id) as owner_id,
        min(greatest(received.flowed_at, invoices.issued_at)) as since
    from {{ ref('int_payments__references') }} as payment_references
    inner join received
        on
            payment_references.tenant_id = received.tenant_id
            and payment_references.payment_id = received.payment_id
    inner join invoices
        on
            payment_references.tenant_id = invoices.tenant_id
            and payment_references.invoice_id = invoices.invoice_id
    where payment_references.problem is null
    group by payment_references.tenant_id, payment_references.payment_id
    union all
    select
        tenant_id,
        payment_id,
        owner_id,
        decided_at as since
    from named
    where action = 'match' and currency = payment_currency

),

homes as (

    select
        tenant_id,
        payment_id,
        owner_id
    from claims
    qualify row_number() over (partition by tenant_id, payment_id order by since, owner_id) = 1

)

select
    named.tenant_id,
    named.match_id,
    named.payment_id,
    named.invoice_id,
    named.right_reference,
    named.action,
    named.decided_by,
    named.decided_at,
    named.replaced_at,
    homes.owner_id,
    case
        when named.payment_currency is null or named.invoice_id is null then 'unknown_reference'
        when named.currency <> named.payment_currency then 'wrong_currency'
        when homes.owner_id <> named.owner_id then 'other_customer'
    end as problem
from named
left join homes
    on
        named.tenant_id = homes.tenant_id
        and named.payment_id = homes.payment_id
