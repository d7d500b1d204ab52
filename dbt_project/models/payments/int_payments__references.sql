-- Which documents a payment is for, by the first rule that finds one:
--   1 invoice_id, 2 invoice_number, 3 reference        the payment names the document
--   4 reference_text                                   its text holds the numbers of documents
--   5 oldest_due                                       it names none: whatever the payer owes in that currency, oldest due first
-- A payment that names what does not exist, another customer's document or one in another currency is for none.
with

payments as (

    select * from {{ ref('stg_ratehouse__payments') }}

),

invoices as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}
    where kind = 'invoice'

),

customers as (

    select * from {{ ref('int_subscriptions__customers') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

-- Words of the texts that name no document as a whole.
words as (

    select
        tenant_id,
        payment_id,
        unnest(string_split_regex(upper(reference), '[\s,;:()]+')) as word
    from payments
    where reference is not null and invoice_id is null and invoice_number is null

),

by_id as (

    select
        payments.tenant_id,
        payments.payment_id,
        invoices.invoice_id,
        1 as rule_no
    from payments
    inner join invoices
        on
            payments.tenant_id = invoices.tenant_id
            and payments.invoice_id = invoices.invoice_id

),

others as (

    select *
    from payments
    where
        coalesce(invoice_number, reference) is not null
        and (tenant_id, payment_id) not in (select (tenant_id, payment_id) from by_id)

),

named as (

    select
        others.tenant_id,
        others.payment_id,
        invoices.invoice_id,
        2 as rule_no
    from others
    inner join invoices
        on
            others.tenant_id = invoices.tenant_id
            and others.invoice_number = invoices.invoice_number
    union
    select
        others.tenant_id,
        others.payment_id,
        invoices.invoice_id,
        3 as rule_no
    from others
    inner join invoices
        on
            others.tenant_id = invoices.tenant_id
            and others.reference = invoices.invoice_number
    union
    select
        others.tenant_id,
        others.payment_id,
        invoices.invoice_id,
        3 as rule_no
    from others
    inner join invoices
        on
            others.tenant_id = invoices.tenant_id
            and others.reference = invoices.invoice_id
    union
    select
        words.tenant_id,
        words.payment_id,
        invoices.invoice_id,
        4 as rule_no
    from words
    inner join invoices
        on
            words.tenant_id = invoices.tenant_id
            and words.word = upper(invoices.invoice_number)

),

first_rule as (

    select *
    from named
    qualify rule_no = min(rule_no) over (partition by tenant_id, payment_id)
    union all
    select * from by_id

),

-- Who pays: where documents go to the parent, the parent owes.
payers as (

    select
        payments.tenant_id,
        payments.payment_id,
        payments.customer_id,
        payments.currency,
        payments.invoice_id is null and payments.invoice_number is null and payments.reference is null as names_nothing,
        case
            when tenants.group_by = 'parent' then coalesce(customers.parent_customer_id, payments.customer_id)
            else payments.customer_id
        end as payer_id,
        customers.parent_customer_id
    from payments
    inner join tenants on payments.tenant_id = tenants.tenant_id
    left join customers
        on
            payments.tenant_id = customers.tenant_id
            and payments.customer_id = customers.customer_id

),

found as (

    select
        payers.*,
        invoices.invoice_id,
        invoices.customer_id as owner_id,
        first_rule.rule_no,
        case
            when invoices.currency <> payers.currency then 'wrong_currency'
            -- A family pays for its members.
            when not coalesce(
                payers.customer_id is null
                or invoices.customer_id = payers.customer_id
                or invoices.customer_id is not distinct from payers.parent_customer_id
                or owners.parent_customer_id is not distinct from payers.customer_id,
                false
            ) then 'misdirected'
        end as problem
    from payers
    inner join first_rule
        on
            payers.tenant_id = first_rule.tenant_id
            and payers.payment_id = first_rule.payment_id
    inner join invoices
        on
            first_rule.tenant_id = invoices.tenant_id
            and first_rule.invoice_id = invoices.invoice_id
    left join customers as owners
        on
            invoices.tenant_id = owners.tenant_id
            and invoices.customer_id = owners.customer_id
    union all by name
    select
        payers.*,
        invoices.invoice_id,
        payers.payer_id as owner_id,
        5 as rule_no,
        cast(null as varchar) as problem
    from payers
    inner join invoices
        on
            payers.tenant_id = invoices.tenant_id
            and payers.payer_id = invoices.customer_id
            and payers.currency = invoices.currency
    where payers.names_nothing

)

select
    payers.tenant_id,
    payers.payment_id,
    found.invoice_id,
    found.rule_no,
    case found.rule_no
        when 1 then 'invoice_id'
        when 2 then 'invoice_number'
        when 3 then 'reference'
        when 4 then 'reference_text'
        when 5 then 'oldest_due'
    end as rule,
    coalesce(found.owner_id, payers.payer_id) as account_id,
    payers.currency,
    case
        when found.payment_id is not null then found.problem
        when payers.names_nothing and payers.payer_id is not null then null
        else 'unapplied'
    end as problem
from payers
left join found
    on
        payers.tenant_id = found.tenant_id
        and payers.payment_id = found.payment_id
