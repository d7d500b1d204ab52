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

-- Who pays: where documents go to the parent, the parent owes.
payers as (

    select
        payments.tenant_id,
        payments.payment_id,
        payments.customer_id,
        payments.invoice_id as named_id,
        payments.invoice_number,
        payments.reference,
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

by_id as (

    select
        payers.*,
        invoices.invoice_id,
        invoices.customer_id as owner_id,
        invoices.currency as invoice_currency
    from payers
    left join invoices
        on
            payers.tenant_id = invoices.tenant_id
            and payers.named_id = invoices.invoice_id

),

others as (

    select * exclude (invoice_id, owner_id, invoice_currency)
    from by_id
    where invoice_id is null

),

-- Words of the texts that name no document as a whole.
words as (

    select
        tenant_id,
        payment_id,
        unnest(string_split_regex(upper(reference), '[\s,;:()]+')) as word
    from others
    where reference is not null and named_id is null and invoice_number is null

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

),

-- What the others are for, of any customer and in any currency.
found as (

    select
        others.*,
        invoices.invoice_id,
        invoices.customer_id as owner_id,
        invoices.currency as invoice_currency,
        first_rule.rule_no
    from others
    inner join first_rule
        on
            others.tenant_id = first_rule.tenant_id
            and others.payment_id = first_rule.payment_id
    inner join invoices
        on
            first_rule.tenant_id = invoices.tenant_id
            and first_rule.invoice_id = invoices.invoice_id
    union all by name
    select
        others.*,
        invoices.invoice_id,
        invoices.customer_id as owner_id,
        invoices.currency as invoice_currency,
        5 as rule_no
    from others
    inner join invoices
        on
            others.tenant_id = invoices.tenant_id
            and others.payer_id = invoices.customer_id
            and others.currency = invoices.currency
    where others.names_nothing

),

every as (

    select
        *,
        1 as rule_no
    from by_id
    where invoice_id is not null
    union all by name
    select * from found
    union all by name
    select others.*
    from others
    left join found
        on
            others.tenant_id = found.tenant_id
            and others.payment_id = found.payment_id
    where found.payment_id is null

)

select
    every.tenant_id,
    every.payment_id,
    every.invoice_id,
    every.rule_no,
    case every.rule_no
        when 1 then 'invoice_id'
        when 2 then 'invoice_number'
        when 3 then 'reference'
        when 4 then 'reference_text'
        when 5 then 'oldest_due'
    end as rule,
    coalesce(every.owner_id, every.payer_id) as account_id,
    every.currency,
    case
        when every.invoice_id is null and not (every.names_nothing and every.payer_id is not null) then 'unapplied'
        when every.invoice_currency <> every.currency then 'wrong_currency'
        -- A family pays for its members; what names nothing pays what its payer owes.
        when every.rule_no < 5 and not coalesce(
            every.customer_id is null
            or every.owner_id = every.customer_id
            or every.owner_id is not distinct from every.parent_customer_id
            or owners.parent_customer_id is not distinct from every.customer_id,
            false
        ) then 'misdirected'
    end as problem
from every
left join customers as owners
    on
        every.tenant_id = owners.tenant_id
        and every.owner_id = owners.customer_id
