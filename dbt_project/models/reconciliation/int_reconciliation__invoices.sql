-- Invoices that were not paid as they should be: not at all, in part and why, less a tax, or after they were given up.
with

tenants as (

    select
        tenant_id,
        timezone,
        billing_as_of,
        rounding_mode,
        {{ json_part('document', 'receivables.short_payment') }} as short_payment
    from {{ ref('stg_ratehouse__tenants') }}

),

receivables as (

    select * from {{ ref('int_payments__receivables') }}

),

asking as (

    select * from tenants
    where
        {{ json_part('short_payment', 'cash_discount') }} is not null
        or coalesce(cast({{ json_part('short_payment', 'bank_fee') }} as varchar), '{}') <> '{}'

),

-- Where no tenant asks, nothing is read.
short_paid as (

    select * from receivables
    where paid_amount > 0 and open_amount + tolerated_amount > 0 and tenant_id in (select tenant_id from asking)

),

applied as (

    select * from {{ ref('int_payments__postings') }}
    where kind = 'applied' and tenant_id in (select tenant_id from asking)

),

invoices as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}
    where tenant_id in (select tenant_id from asking)

),

payments as (

    select * from {{ ref('stg_ratehouse__payments') }}
    where tenant_id in (select tenant_id from asking)

),

-- What explains that an invoice was paid, but not in full, where its tenant says what to look for: the last payment of it may have lost a fee on
-- its way, or have been early enough for a discount.
explained as (

    select
        short_paid.tenant_id,
        short_paid.invoice_id,
        short_paid.open_amount + short_paid.tolerated_amount = {{ round_money(
            "cast(any_value(invoices.total) * cast(" ~ json_text('any_value(asking.short_payment)', 'cash_discount.percent') ~ " as decimal(28, 12)) * 0.01 as decimal(38, 22))",
            'any_value(currencies.minor_digits)', 'any_value(asking.rounding_mode)'
        ) }}
        and max({{ local_date('applied.moved_at', 'invoices.timezone') }})
        <= any_value(invoices.bill_date) + cast({{ json_text('any_value(asking.short_payment)', 'cash_discount.days') }} as integer) as is_discount,
        short_paid.open_amount + short_paid.tolerated_amount
        <= cast({{ json_text_at('any_value(asking.short_payment)', "'bank_fee.' || short_paid.currency") }} as decimal(20, 4))
        and max_by(payments.provider is null, applied.moved_at) as is_bank_fee
    from short_paid
    inner join asking on short_paid.tenant_id = asking.tenant_id
    inner join invoices
        on
            short_paid.tenant_id = invoices.tenant_id
            and short_paid.invoice_id = invoices.invoice_id
    inner join {{ ref('currencies') }} as currencies on short_paid.currency = currencies.currency
    inner join applied
        on
            short_paid.tenant_id = applied.tenant_id
            and short_paid.invoice_id = applied.invoice_id
    inner join payments
        on
            applied.tenant_id = payments.tenant_id
            and applied.payment_id = payments.payment_id
    group by
        short_paid.tenant_id, short_paid.invoice_id, short_paid.open_amount, short_paid.tolerated_amount, short_paid.currency

),

of_invoices as (

    select
        receivables.tenant_id,
        case
            when receivables.open_amount = 0 then 'written_off'
            when receivables.paid_amount > 0 then 'amount_mismatch'
            else 'missing_payment'
        end as status,
        receivables.invoice_number as reference,
        case when receivables.open_amount = 0 then 'tolerance' end as rule,
        case
            when receivables.paid_amount = 0 then null
            when receivables.is_disputed then 'dispute'
            when receivables.open_amount > 0 and receivables.open_amount = shortfalls.withholding_amount then 'tax_withheld'
            when explained.is_discount then 'discount_taken'
            when explained.is_bank_fee then 'bank_fee'
        end as reason,
        receivables.invoice_id,
        receivables.customer_id,
        receivables.paid_amount + receivables.open_amount + receivables.tolerated_amount as expected_amount,
        receivables.paid_amount as actual_amount,
        receivables.currency,
        receivables.due_on as since_on
    from receivables
    inner join {{ ref('stg_ratehouse__issued_invoices') }} as invoices
        on
            receivables.tenant_id = invoices.tenant_id
            and receivables.invoice_id = invoices.invoice_id
    inner join tenants on receivables.tenant_id = tenants.tenant_id
    left join {{ ref('int_payments__shortfalls') }} as shortfalls
        on
            receivables.tenant_id = shortfalls.tenant_id
            and receivables.invoice_id = shortfalls.invoice_id
    left join explained
        on
            receivables.tenant_id = explained.tenant_id
            and receivables.invoice_id = explained.invoice_id
    where
        receivables.tolerated_amount > 0
        or (
            receivables.open_amount > 0
            and (receivables.paid_amount > 0 or receivables.due_on < {{ local_date('tenants.billing_as_of', 'invoices.timezone') }})
        )

),

-- Taxes that customers kept and whose certificate has not come, and certificates that prove more than was kept.
of_withholdings as (

    select
        withholdings.tenant_id,
        'withholding_tax' as status,
        invoices.invoice_number as reference,
        'tax_withheld' as reason,
        withholdings.invoice_id,
        invoices.customer_id,
        withholdings.withheld_amount as expected_amount,
        withholdings.certified_amount as actual_amount,
        invoices.currency,
        withholdings.withheld_on as since_on
    from {{ ref('withholding_taxes') }} as withholdings
    inner join {{ ref('stg_ratehouse__issued_invoices') }} as invoices
        on
            withholdings.tenant_id = invoices.tenant_id
            and withholdings.invoice_id = invoices.invoice_id
    where withholdings.waiting_amount > 0
    union all
    select
        certificates.tenant_id,
        'certificate_without_effect' as status,
        certificates.invoice_number as reference,
        'tax_withheld' as reason,
        min(invoices.invoice_id) as invoice_id,
        min(invoices.customer_id) as customer_id,
        coalesce(min(withholdings.withheld_amount), 0) as expected_amount,
        sum(certificates.amount) as actual_amount,
        certificates.currency,
        max({{ local_date('certificates.counts_from', 'tenants.timezone') }}) as since_on
    from {{ ref('stg_ratehouse__withholding_certificates') }} as certificates
    inner join tenants on certificates.tenant_id = tenants.tenant_id
    left join {{ ref('stg_ratehouse__issued_invoices') }} as invoices
        on
            certificates.tenant_id = invoices.tenant_id
            and certificates.invoice_number = invoices.invoice_number
            and certificates.currency = invoices.currency
    left join {{ ref('withholding_taxes') }} as withholdings
        on
            invoices.tenant_id = withholdings.tenant_id
            and invoices.invoice_id = withholdings.invoice_id
    where certificates.status = 'received'
    group by certificates.tenant_id, certificates.invoice_number, certificates.currency
    having sum(certificates.amount) > coalesce(min(withholdings.withheld_amount), 0)

),

recovered as (

    select
        tenant_id,
        'write_off_recovered' as status,
        invoice_number as reference,
        invoice_id,
        customer_id,
        cast(0 as decimal(20, 4)) as expected_amount,
        recovered_amount as actual_amount,
        currency,
        due_on as since_on
    from receivables
    where recovered_amount > 0

)

select * from of_invoices
union all by name
select * from of_withholdings
union all by name
select * from recovered
