-- How many days of sales are unpaid at each month's end: what is open × days ÷ what was billed in them, with its tax, as what is open has it.
-- The days are the last ninety, or those since the first document.
with

currencies as (

    select * from {{ ref('currencies') }}

),

documents as (

    select
        invoices.tenant_id,
        invoices.currency,
        invoices.bill_date,
        invoices.total - receivables.voided_amount as amount
    from {{ ref('stg_ratehouse__issued_invoices') }} as invoices
    inner join {{ ref('int_payments__receivables') }} as receivables
        on
            invoices.tenant_id = receivables.tenant_id
            and invoices.invoice_id = receivables.invoice_id
    union all
    select
        tenant_id,
        currency,
        bill_date,
        total as amount
    from {{ ref('stg_ratehouse__issued_invoices') }}
    where kind = 'credit_note'

),

firsts as (

    select
        tenant_id,
        currency,
        min(bill_date) as first_on
    from documents
    group by tenant_id, currency

),

ends as (

    select
        aging.tenant_id,
        aging.currency,
        aging.period,
        aging.as_of,
        sum(aging.open_amount) as open_amount,
        cast(least(90, datediff('day', any_value(firsts.first_on), aging.as_of) + 1) as integer) as days
    from {{ ref('receivable_aging') }} as aging
    inner join firsts
        on
            aging.tenant_id = firsts.tenant_id
            and aging.currency = firsts.currency
    group by aging.tenant_id, aging.currency, aging.period, aging.as_of

),

billed as (

    select
        ends.tenant_id,
        ends.currency,
        ends.period,
        ends.as_of,
        ends.days,
        any_value(ends.open_amount) as open_amount,
        coalesce(sum(documents.amount), 0) as billed_amount
    from ends
    left join documents
        on
            ends.tenant_id = documents.tenant_id
            and ends.currency = documents.currency
            and ends.as_of >= documents.bill_date
            and ends.as_of - ends.days < documents.bill_date
    group by ends.tenant_id, ends.currency, ends.period, ends.as_of, ends.days

)

select
    billed.tenant_id,
    billed.currency,
    billed.period,
    billed.as_of,
    billed.days,
    cast(billed.open_amount as decimal(20, 4)) as open_amount,
    cast(billed.billed_amount as decimal(20, 4)) as billed_amount,
    case
        when billed.billed_amount > 0
            then cast(cast({{ divide_half_up(
                '(10 * billed.days * ' ~ to_minor('billed.open_amount', 'currencies.minor_digits') ~ ')',
                to_minor('billed.billed_amount', 'currencies.minor_digits')
            ) }} as decimal(18, 0)) * 0.1 as decimal(20, 1))
    end as days_sales_outstanding
from billed
inner join currencies on billed.currency = currencies.currency
