-- The documents that the next run issues with their amounts before credit is drawn: what is on them, for whom, and on which day.
with

lines as (

    select * from {{ ref('int_invoicing__net_lines') }}

),

taxes as (

    select
        tenant_id,
        document_key,
        sum(amount) as tax
    from {{ ref('int_taxes__document_taxes') }}
    group by tenant_id, document_key

),

-- What a document waits for: the answer about the tax of each customer on it, the word about a tax id, a rate for the day.
reasons as (

    select
        tenant_id,
        document_key,
        reason
    from {{ ref('int_taxes__document_quotes') }}
    where status <> 'quoted'
    union all
    select
        tenant_id,
        document_key,
        'tax_id_unchecked: nobody asked VIES about ' || tax_id as reason
    from {{ ref('int_taxes__tax_ids') }}
    where standing = 'unchecked'
    union all
    select
        tenant_id,
        document_key,
        'rate_missing: no rate of the settings holds on the tax day of line ' || cast(line_no as varchar) as reason
    from {{ ref('int_taxes__line_rates') }}
    where is_rate_missing

),

unanswered as (

    select
        tenant_id,
        document_key,
        min(reason) as reason
    from reasons
    group by tenant_id, document_key

),

included as (

    select * from {{ ref('int_taxes__included_taxes') }}

),

issued_lines as (

    select
        tenant_id,
        line_id,
        -- What was charged anew belongs to the invoice that charged it first.
        coalesce(replaces_invoice_id, invoice_id) as invoice_id
    from {{ ref('stg_ratehouse__issued_invoice_lines') }}

),

customers as (

    select * from {{ ref('int_subscriptions__customers') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

summed as (

    select
        lines.tenant_id,
        lines.document_key,
        lines.kind,
        lines.bill_to_customer_id,
        lines.currency,
        bool_or(lines.is_draft) as is_draft,
        sum(case when lines.line_type = 'discount' then 0 else lines.amount - coalesce(included.amount, 0) end) as subtotal,
        sum(case when lines.line_type = 'discount' then coalesce(included.amount, 0) - lines.amount else 0 end) as discount,
        -- A credit note that corrects one document names it (Directive 2006/112, Art. 219).
        case when count(distinct issued_lines.invoice_id) = 1 then min(issued_lines.invoice_id) end as corrects_invoice_id
    from lines
    left join issued_lines
        on
            lines.tenant_id = issued_lines.tenant_id
            and lines.corrects_line_id = issued_lines.line_id
    left join included
        on
            lines.tenant_id = included.tenant_id
            and lines.document_key = included.document_key
            and lines.line_no = included.line_no
    group by all

)

select
    summed.tenant_id,
    summed.document_key,
    summed.kind,
    summed.bill_to_customer_id,
    summed.currency,
    summed.is_draft,
    {{ local_date('tenants.billing_as_of', 'customers.timezone') }} as bill_date,
    cast(summed.subtotal as decimal(20, 4)) as subtotal,
    cast(summed.discount as decimal(20, 4)) as discount,
    cast(coalesce(taxes.tax, 0) as decimal(20, 4)) as tax,
    cast(summed.subtotal - summed.discount + coalesce(taxes.tax, 0) as decimal(20, 4)) as total,
    summed.corrects_invoice_id,
    unanswered.reason as blocked_by
from summed
inner join tenants on summed.tenant_id = tenants.tenant_id
inner join customers
    on
        summed.tenant_id = customers.tenant_id
        and summed.bill_to_customer_id = customers.customer_id
left join taxes
    on
        summed.tenant_id = taxes.tenant_id
        and summed.document_key = taxes.document_key
left join unanswered
    on
        summed.tenant_id = unanswered.tenant_id
        and summed.document_key = unanswered.document_key
