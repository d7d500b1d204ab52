-- The tax of a document: one amount per rate, on the sum of the rate's lines as they are priced, rounded once (EN 16931): beside
-- them, or out of them where prices include it. The credit note that takes back the last of a rate's lines takes what is left of its
-- tax, so the notes of an invoice add up to it. Where a provider says the tax, its amounts stand as they are, per jurisdiction.
with

lines as (

    select * from {{ ref('int_invoicing__net_lines') }}

),

line_rates as (

    select * from {{ ref('int_taxes__line_rates') }}
    where source not in ('quoted', 'returned')

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

issued as (

    select * from {{ ref('stg_ratehouse__issued_invoice_lines') }}

),

documents as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}

),

-- The one invoice that all lines of a rate on a credit note correct.
corrected as (

    select
        lines.tenant_id,
        lines.document_key,
        line_rates.tax_code,
        line_rates.tax_percent,
        min(issued.invoice_id) as invoice_id
    from lines
    inner join line_rates
        on
            lines.tenant_id = line_rates.tenant_id
            and lines.document_key = line_rates.document_key
            and lines.line_no = line_rates.line_no
    left join issued
        on
            lines.tenant_id = issued.tenant_id
            and lines.corrects_line_id = issued.line_id
    where lines.kind = 'credit_note'
    group by lines.tenant_id, lines.document_key, line_rates.tax_code, line_rates.tax_percent
    having count(distinct issued.invoice_id) = 1 and count(*) = count(issued.invoice_id)

),

-- An invoice and what corrected its lines so far, each with the document it stands on.
standing as (

    select
        issued.tenant_id,
        issued.invoice_id,
        issued.invoice_id as document_id,
        issued.tax_code,
        issued.tax_percent,
        issued.line_type,
        issued.amount,
        issued.priced_amount
    from issued
    union all
    select
        notes.tenant_id,
        documents.corrects_invoice_id as invoice_id,
        notes.invoice_id as document_id,
        notes.tax_code,
        notes.tax_percent,
        notes.line_type,
        notes.amount,
        notes.priced_amount
    from issued as notes
    inner join documents
        on
            notes.tenant_id = documents.tenant_id
            and notes.invoice_id = documents.invoice_id
    where documents.kind = 'credit_note' and documents.corrects_invoice_id is not null

),

-- A correction that shares its document with those of another invoice has no tax of its own to count.
mixed as (

    select distinct
        originals.tenant_id,
        originals.invoice_id
    from issued as corrections
    inner join issued as originals
        on
            corrections.tenant_id = originals.tenant_id
            and corrections.corrects_line_id = originals.line_id
    inner join documents
        on
            corrections.tenant_id = documents.tenant_id
            and corrections.invoice_id = documents.invoice_id
    where documents.kind <> 'credit_note' or documents.corrects_invoice_id is null

),

remaining as (

    select
        tenant_id,
        invoice_id,
        tax_code,
        tax_percent,
        sum(case when line_type = 'tax' then 0 else priced_amount end) as priced,
        sum(case when line_type = 'tax' then amount else 0 end) as tax
    from standing
    where (tenant_id, invoice_id) not in (select (tenant_id, invoice_id) from mixed)
    group by tenant_id, invoice_id, tax_code, tax_percent

),

taxable as (

    select
        lines.tenant_id,
        lines.document_key,
        line_rates.tax_code,
        line_rates.tax_percent,
        lines.currency,
        min(lines.customer_id) as customer_id,
        min(lines.bill_to_customer_id) as bill_to_customer_id,
        min(lines.kind) as kind,
        sum(lines.amount) as taxable_amount
    from lines
    inner join line_rates
        on
            lines.tenant_id = line_rates.tenant_id
            and lines.document_key = line_rates.document_key
            and lines.line_no = line_rates.line_no
    where line_rates.tax_percent <> 0
    group by all

),

-- A share of what is priced: of 100 beside the lines, of 100 + rate out of them.
scaled as (

    select
        taxable.*,
        tenants.is_tax_inclusive,
        {{ to_scaled('taxable.tax_percent', 12) }} as percent_scaled
    from taxable
    inner join tenants on taxable.tenant_id = tenants.tenant_id

),

exact as (

    select
        * exclude (is_tax_inclusive, percent_scaled),
        {{ prorate('taxable_amount', 'percent_scaled', '(' ~ 100 * 10 ** 12 ~ ' + case when is_tax_inclusive then percent_scaled else 0 end)') }} as amount_exact
    from scaled

),

taxed as (

    select
        taxable.* exclude (amount_exact),
        case
            when remaining.priced = -taxable.taxable_amount then cast(-remaining.tax as decimal(20, 4))
            else {{ round_money('taxable.amount_exact', 'currencies.minor_digits', 'tenants.rounding_mode') }}
        end as amount
    from exact as taxable
    inner join tenants on taxable.tenant_id = tenants.tenant_id
    inner join currencies on taxable.currency = currencies.currency
    left join corrected
        on
            taxable.tenant_id = corrected.tenant_id
            and taxable.document_key = corrected.document_key
            and taxable.tax_code is not distinct from corrected.tax_code
            and taxable.tax_percent = corrected.tax_percent
    left join remaining
        on
            corrected.tenant_id = remaining.tenant_id
            and corrected.invoice_id = remaining.invoice_id
            and corrected.tax_code is not distinct from remaining.tax_code
            and corrected.tax_percent = remaining.tax_percent

),

quoted as (

    select
        quotes.tenant_id,
        quotes.document_key,
        rates.tax_code,
        rates.tax_percent,
        parts.jurisdiction,
        parts.percent as rate_percent,
        quotes.currency,
        quotes.customer_id,
        quotes.bill_to_customer_id,
        quotes.kind,
        lines.amount as taxable_amount,
        parts.amount
    from {{ ref('int_taxes__document_quotes') }} as quotes
    inner join {{ ref('int_taxes__quote_parts') }} as parts
        on
            quotes.tenant_id = parts.tenant_id
            and quotes.request_hash = parts.request_hash
    inner join {{ ref('int_taxes__line_rates') }} as rates
        on
            quotes.tenant_id = rates.tenant_id
            and quotes.document_key = rates.document_key
            and parts.item_no = rates.line_no
    inner join {{ ref('int_invoicing__net_lines') }} as lines
        on
            quotes.tenant_id = lines.tenant_id
            and quotes.document_key = lines.document_key
            and parts.item_no = lines.line_no
    where quotes.status = 'quoted'

),

returned as (

    select
        returns.tenant_id,
        returns.document_key,
        rates.tax_code,
        rates.tax_percent,
        returns.jurisdiction,
        returns.percent as rate_percent,
        lines.currency,
        lines.customer_id,
        lines.bill_to_customer_id,
        lines.kind,
        lines.amount as taxable_amount,
        returns.amount
    from {{ ref('int_taxes__returned_taxes') }} as returns
    inner join {{ ref('int_taxes__line_rates') }} as rates
        on
            returns.tenant_id = rates.tenant_id
            and returns.document_key = rates.document_key
            and returns.line_no = rates.line_no
    inner join {{ ref('int_invoicing__net_lines') }} as lines
        on
            returns.tenant_id = lines.tenant_id
            and returns.document_key = lines.document_key
            and returns.line_no = lines.line_no

),

said as (

    select * from quoted
    union all
    select * from returned

),

told as (

    select
        tenant_id,
        document_key,
        tax_code,
        tax_percent,
        jurisdiction,
        rate_percent,
        currency,
        min(customer_id) as customer_id,
        min(bill_to_customer_id) as bill_to_customer_id,
        min(kind) as kind,
        cast(sum(taxable_amount) as decimal(20, 4)) as taxable_amount,
        cast(sum(amount) as decimal(20, 4)) as amount
    from said
    group by tenant_id, document_key, tax_code, tax_percent, jurisdiction, rate_percent, currency

)

select
    *,
    cast(null as varchar) as jurisdiction,
    tax_percent as rate_percent
from taxed
where amount <> 0
union all by name
select * from told
where amount <> 0
