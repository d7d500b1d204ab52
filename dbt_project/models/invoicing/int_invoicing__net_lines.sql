-- The lines that the next run issues, before tax. Where prices include the tax it is taken out of the lines of a rate together, by cumulative
-- difference, so that net and tax of a document are exactly its prices; a manual adjustment is net already.
with

lines as (

    select * from {{ ref('int_invoicing__owed_lines') }}

),

line_rates as (

    select * from {{ ref('int_taxes__line_rates') }}

),

tenants as (

    select
        tenant_id,
        coalesce(cast({{ json_text('document', 'tax.inclusive') }} as boolean), false) as is_inclusive
    from {{ ref('stg_ratehouse__tenants') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

rated as (

    select
        lines.*,
        currencies.minor_digits,
        tenants.is_inclusive and lines.adjustment_id is null as has_tax_inside,
        {{ to_scaled('cast(line_rates.tax_percent as decimal(38, 12))', 12) }} as percent_scaled,
        {{ to_minor('lines.amount', 'currencies.minor_digits') }} as minor_amount,
        sum({{ to_minor('lines.amount', 'currencies.minor_digits') }}) over (
            partition by lines.tenant_id, lines.document_key, line_rates.tax_code, line_rates.tax_percent, lines.adjustment_id is null
            order by lines.line_no
        ) as minor_to_here
    from lines
    inner join line_rates
        on
            lines.tenant_id = line_rates.tenant_id
            and lines.document_key = line_rates.document_key
            and lines.line_no = line_rates.line_no
    inner join tenants on lines.tenant_id = tenants.tenant_id
    inner join currencies on lines.currency = currencies.currency

),

priced as (

    select
        *,
        case
            when has_tax_inside then {{ from_minor(
                'minor_amount - ('
                ~ divide_half_up('(minor_to_here * ' ~ 100 * 10 ** 12 ~ ')', '(' ~ 100 * 10 ** 12 ~ ' + percent_scaled)') ~ ' - '
                ~ divide_half_up('((minor_to_here - minor_amount) * ' ~ 100 * 10 ** 12 ~ ')', '(' ~ 100 * 10 ** 12 ~ ' + percent_scaled)') ~ ')',
                'minor_digits'
            ) }}
            else cast(0 as decimal(20, 4))
        end as included_tax
    from rated

)

select
    * exclude (minor_digits, percent_scaled, minor_amount, minor_to_here)
    replace (cast(amount - included_tax as decimal(20, 4)) as amount)
from priced
