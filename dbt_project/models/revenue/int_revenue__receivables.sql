-- What customers still owe on the documents of a contract at every month end, tax included, in minor units. A document of several contracts is
-- shared by what was billed on each, cumulatively in the order of their ids.
with

month_ends as (

    select * from {{ ref('int_revenue__month_ends') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

opened as (

    select
        postings.tenant_id,
        postings.invoice_id,
        {{ local_date('postings.moved_at', 'tenants.timezone') }} as moved_on,
        sum({{ to_minor('postings.opens', 'currencies.minor_digits') }}) as opens
    from {{ ref('int_payments__postings') }} as postings
    inner join {{ ref('stg_ratehouse__issued_invoices') }} as invoices
        on
            postings.tenant_id = invoices.tenant_id
            and postings.invoice_id = invoices.invoice_id
    inner join tenants on postings.tenant_id = tenants.tenant_id
    inner join currencies on invoices.currency = currencies.currency
    where postings.opens <> 0
    group by postings.tenant_id, postings.invoice_id, {{ local_date('postings.moved_at', 'tenants.timezone') }}

),

billed as (

    select
        tenant_id,
        invoice_id,
        contract_id,
        greatest(sum(amount), 0) as amount
    from {{ ref('int_revenue__billing') }}
    where invoice_id is not null and type = 'billed'
    group by tenant_id, invoice_id, contract_id

),

shares as (

    select
        *,
        sum(amount) over (partition by tenant_id, invoice_id order by contract_id) as amount_to_here,
        sum(amount) over (partition by tenant_id, invoice_id) as total
    from billed

),

standing as (

    select
        month_ends.tenant_id,
        month_ends.contract_id,
        month_ends.as_of,
        shares.invoice_id,
        shares.amount,
        shares.amount_to_here,
        shares.total,
        sum(opened.opens) as open_amount
    from month_ends
    inner join shares
        on
            month_ends.tenant_id = shares.tenant_id
            and month_ends.contract_id = shares.contract_id
    inner join opened
        on
            shares.tenant_id = opened.tenant_id
            and shares.invoice_id = opened.invoice_id
            and month_ends.as_of >= opened.moved_on
    where shares.total > 0
    group by
        month_ends.tenant_id, month_ends.contract_id, month_ends.as_of, shares.invoice_id, shares.amount, shares.amount_to_here, shares.total
    having sum(opened.opens) <> 0

)

select
    tenant_id,
    contract_id,
    as_of,
    cast(sum(
        {{ divide_half_up('(open_amount * amount_to_here)', 'total') }}
        - {{ divide_half_up('(open_amount * (amount_to_here - amount))', 'total') }}
    ) as hugeint) as receivable
from standing
group by tenant_id, contract_id, as_of
