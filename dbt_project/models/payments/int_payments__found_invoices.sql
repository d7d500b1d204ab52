-- Which documents payments are for that name none by its id, by the first rule that finds one:
--   2 invoice_number, 3 reference                      the payment names the document
--   4 reference_text                                   its text holds the numbers of documents
--   5 oldest_due                                       it names none: whatever the payer owes in that currency, oldest due first
with

customers as {{ not_materialized() }}(

    select * from {{ ref('int_subscriptions__customers') }}

),

payments as (

    select
        named.*,
        named.names_an_id or named.invoice_number is not null or named.reference is not null as names_something,
        customers.parent_customer_id,
        -- Where documents go to the parent, the parent owes.
        case when tenants.group_by = 'parent' then coalesce(customers.parent_customer_id, named.customer_id) else named.customer_id end as payer_id
    from {{ ref('int_payments__named_invoices') }} as named
    inner join {{ ref('stg_ratehouse__tenants') }} as tenants on named.tenant_id = tenants.tenant_id
    left join customers
        on
            named.tenant_id = customers.tenant_id
            and named.customer_id = customers.customer_id
    where named.invoice_id is null

),

invoices as {{ not_materialized() }}(

    select * from {{ ref('stg_ratehouse__issued_invoices') }}
    where kind = 'invoice'

),

-- What a payment says of its document as a whole.
numbers as (

    select
        tenant_id,
        payment_id,
        invoice_number as number,
        2 as rule_no
    from payments
    union all
    select
        tenant_id,
        payment_id,
        reference as number,
        3 as rule_no
    from payments

),

-- Words of the texts of payments that say nothing else.
words as (

    select
        tenant_id,
        payment_id,
        unnest(string_split_regex(upper(reference), '[\s,;:()]+')) as word
    from payments
    where reference is not null and not names_an_id and invoice_number is null

),

named as (

    select
        numbers.tenant_id,
        numbers.payment_id,
        invoices.invoice_id,
        invoices.customer_id,
        invoices.currency,
        numbers.rule_no
    from numbers
    inner join invoices
        on
            numbers.tenant_id = invoices.tenant_id
            and numbers.number = invoices.invoice_number
    union
    select
        payments.tenant_id,
        payments.payment_id,
        invoices.invoice_id,
        invoices.customer_id,
        invoices.currency,
        3 as rule_no
    from payments
    inner join invoices
        on
            payments.tenant_id = invoices.tenant_id
            and payments.reference = invoices.invoice_id
    union
    select
        words.tenant_id,
        words.payment_id,
        invoices.invoice_id,
        invoices.customer_id,
        invoices.currency,
        4 as rule_no
    from words
    inner join invoices
        on
            words.tenant_id = invoices.tenant_id
            and words.word = upper(invoices.invoice_number)

),

-- Of any customer and in any currency, but of one who names nothing.
found as (

    select *
    from named
    qualify rule_no = min(rule_no) over (partition by tenant_id, payment_id)
    union all
    select
        payments.tenant_id,
        payments.payment_id,
        invoices.invoice_id,
        invoices.customer_id,
        invoices.currency,
        5 as rule_no
    from payments
    inner join invoices
        on
            payments.tenant_id = invoices.tenant_id
            and payments.payer_id = invoices.customer_id
            and payments.currency = invoices.currency
    where not payments.names_something

)

select
    payments.tenant_id,
    payments.payment_id,
    found.invoice_id,
    found.rule_no,
    payments.customer_id,
    coalesce(found.customer_id, payments.payer_id) as account_id,
    payments.currency,
    payments.recorded_at,
    payments.state_no,
    payments.status,
    payments.amount,
    case
        when found.rule_no < 5 then {{ misnaming('payments', 'payments', 'found', 'owners') }}
        -- One that names nothing pays what its payer owes, and be it nothing today.
        when found.invoice_id is null and (payments.names_something or payments.payer_id is null) then 'unapplied'
    end as problem
from payments
left join found
    on
        payments.tenant_id = found.tenant_id
        and payments.payment_id = found.payment_id
left join customers as owners
    on
        found.tenant_id = owners.tenant_id
        and found.customer_id = owners.customer_id
