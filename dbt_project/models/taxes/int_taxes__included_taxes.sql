-- Where prices include the tax: how much of it lies in each line. A rate's tax is shared by what the lines come to, added up line by
-- line and rounded, so that the shares are the tax to the last cent.
with

lines as (

    select * from {{ ref('int_invoicing__net_lines') }}

),

line_rates as (

    select * from {{ ref('int_taxes__line_rates') }}

),

taxes as (

    select * from {{ ref('int_taxes__document_taxes') }}
    where jurisdiction is null

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}
    where is_tax_inclusive

),

currencies as (

    select * from {{ ref('currencies') }}

),

running as (

    select
        lines.tenant_id,
        lines.document_key,
        lines.line_no,
        concat_ws('|', line_rates.tax_code, line_rates.tax_percent) as rate_key,
        tenants.rounding_mode,
        currencies.minor_digits,
        taxes.amount as tax,
        taxes.taxable_amount,
        sum(lines.amount) over sequence as running_amount
    from lines
    inner join tenants on lines.tenant_id = tenants.tenant_id
    inner join currencies on lines.currency = currencies.currency
    inner join line_rates
        on
            lines.tenant_id = line_rates.tenant_id
            and lines.document_key = line_rates.document_key
            and lines.line_no = line_rates.line_no
    inner join taxes
        on
            lines.tenant_id = taxes.tenant_id
            and lines.document_key = taxes.document_key
            and line_rates.tax_code is not distinct from taxes.tax_code
            and line_rates.tax_percent = taxes.tax_percent
    window sequence as (
        partition by lines.tenant_id, lines.document_key, line_rates.tax_code, line_rates.tax_percent order by lines.line_no
        rows between unbounded preceding and current row
    )

),

-- In minor units, both of one sign.
scaled as (

    select
        *,
        sign(taxable_amount) * {{ to_minor('running_amount', 'minor_digits') }} as running_minor,
        sign(taxable_amount) * {{ to_minor('taxable_amount', 'minor_digits') }} as taxable_minor
    from running
    where taxable_amount <> 0

),

exact as (

    select
        *,
        {{ prorate('tax', 'running_minor', 'taxable_minor') }} as running_exact
    from scaled

),

rounded as (

    select
        *,
        {{ round_money('running_exact', 'minor_digits', 'rounding_mode') }} as running_tax
    from exact

)

select
    tenant_id,
    document_key,
    line_no,
    cast(running_tax - coalesce(lag(running_tax) over (partition by tenant_id, document_key, rate_key order by line_no), 0) as decimal(20, 4)) as amount
from rounded
