-- The tax of a document: one amount per rate, on the sum of the rate's lines, rounded once (EN 16931).
with

lines as (

    select * from {{ ref('int_invoicing__net_lines') }}

),

line_rates as (

    select * from {{ ref('int_taxes__line_rates') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

currencies as (

    select * from {{ ref('currencies') }}

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

taxed as (

    select
        taxable.*,
        {{ round_money('cast(taxable.taxable_amount * taxable.tax_percent * cast(0.01 as decimal(3, 2)) as decimal(38, 22))', 'currencies.minor_digits', 'tenants.rounding_mode') }} as amount
    from taxable
    inner join tenants on taxable.tenant_id = tenants.tenant_id
    inner join currencies on taxable.currency = currencies.currency

)

select *
from taxed
where amount <> 0
