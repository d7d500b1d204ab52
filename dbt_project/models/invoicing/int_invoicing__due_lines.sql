-- The lines that the next run issues: those for services, with the rate each is taxed at, then one per rate for the tax.
with

net_lines as (

    select * from {{ ref('int_invoicing__net_lines') }}

),

line_rates as (

    select * from {{ ref('int_taxes__line_rates') }}

),

taxes as (

    select * from {{ ref('int_taxes__document_taxes') }}

),

services as (

    select
        net_lines.* exclude (tax_code, has_tax_inside),
        line_rates.tax_code,
        line_rates.tax_percent
    from net_lines
    inner join line_rates
        on
            net_lines.tenant_id = line_rates.tenant_id
            and net_lines.document_key = line_rates.document_key
            and net_lines.line_no = line_rates.line_no

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
