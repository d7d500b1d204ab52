-- The lines that the next run issues: those for services, with the rate each is taxed at, then one per rate for the tax.
with

net_lines as (

    select * from {{ ref('int_invoicing__net_lines') }}

),

line_rates as (

    select * from {{ ref('int_taxes__line_rates') }}

),

-- A jurisdiction that a provider names stands on the line as its code.
taxes as (

    select
        tenant_id,
        document_key,
        coalesce(jurisdiction, tax_code) as tax_code,
        rate_percent as tax_percent,
        currency,
        min(kind) as kind,
        min(bill_to_customer_id) as bill_to_customer_id,
        min(customer_id) as customer_id,
        cast(sum(amount) as decimal(20, 4)) as amount
    from {{ ref('int_taxes__document_taxes') }}
    group by tenant_id, document_key, coalesce(jurisdiction, tax_code), rate_percent, currency
    having sum(amount) <> 0

),

items as (

    select * from {{ ref('int_taxes__quote_items') }}

),

quotes as (

    select * from {{ ref('int_taxes__document_quotes') }}

),

included as (

    select * from {{ ref('int_taxes__included_taxes') }}

),

item_taxes as (

    select
        tenant_id,
        request_hash,
        item_no,
        cast(sum(amount) as decimal(20, 4)) as amount
    from {{ ref('int_taxes__quote_parts') }}
    group by tenant_id, request_hash, item_no

),

returned as (

    select
        tenant_id,
        document_key,
        line_no,
        cast(sum(amount) as decimal(20, 4)) as amount
    from {{ ref('int_taxes__returned_taxes') }}
    group by tenant_id, document_key, line_no

),

services as (

    select
        net_lines.* exclude (tax_code) replace (cast(net_lines.amount - coalesce(included.amount, 0) as decimal(20, 4)) as amount),
        net_lines.amount as priced_amount,
        line_rates.tax_code,
        line_rates.tax_percent,
        line_rates.tax_country,
        line_rates.tax_region,
        line_rates.treatment as tax_treatment,
        line_rates.certificate_id,
        line_rates.certificate_number,
        quotes.request_hash as tax_request_hash,
        items.item_no as tax_item_no,
        coalesce(item_taxes.amount, returned.amount) as tax_amount
    from net_lines
    inner join line_rates
        on
            net_lines.tenant_id = line_rates.tenant_id
            and net_lines.document_key = line_rates.document_key
            and net_lines.line_no = line_rates.line_no
    left join included
        on
            net_lines.tenant_id = included.tenant_id
            and net_lines.document_key = included.document_key
            and net_lines.line_no = included.line_no
    left join items
        on
            net_lines.tenant_id = items.tenant_id
            and net_lines.document_key = items.document_key
            and net_lines.line_no = items.line_no
    left join quotes
        on
            net_lines.tenant_id = quotes.tenant_id
            and net_lines.document_key = quotes.document_key
            and net_lines.customer_id = quotes.customer_id
            and items.line_no is not null
    left join item_taxes
        on
            quotes.tenant_id = item_taxes.tenant_id
            and quotes.request_hash = item_taxes.request_hash
            and items.line_no = item_taxes.item_no
    left join returned
        on
            net_lines.tenant_id = returned.tenant_id
            and net_lines.document_key = returned.document_key
            and net_lines.line_no = returned.line_no

),

last_lines as (

    select
        tenant_id,
        document_key,
        max(line_no) as line_no
    from net_lines
    group by tenant_id, document_key

),

tax_lines as (

    select
        taxes.tenant_id,
        taxes.document_key,
        taxes.kind,
        taxes.bill_to_customer_id,
        last_lines.line_no + row_number() over (
            partition by taxes.tenant_id, taxes.document_key order by taxes.tax_code, taxes.tax_percent
        ) as line_no,
        taxes.customer_id,
        'tax' as line_type,
        '' as dimensions,
        taxes.amount,
        cast(0 as decimal(20, 4)) as priced_amount,
        taxes.currency,
        taxes.tax_code,
        taxes.tax_percent
    from taxes
    inner join last_lines
        on
            taxes.tenant_id = last_lines.tenant_id
            and taxes.document_key = last_lines.document_key

)

select * from services
union all by name
select * from tax_lines
