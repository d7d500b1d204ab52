-- What grants may cover on the invoices of the next run: per customer and charge, its lines with their share of the tax. The tax of
-- a rate is one amount on the document; it is shared as a cumulative difference, so the shares add up to it.
with

lines as (

    select * from {{ ref('int_invoicing__net_lines') }}
    where kind = 'invoice'

),

line_rates as (

    select * from {{ ref('int_taxes__line_rates') }}

),

taxes as (

    select
        tenant_id,
        document_key,
        tax_code,
        tax_percent,
        cast(sum(amount) as decimal(20, 4)) as amount
    from {{ ref('int_taxes__document_taxes') }}
    group by tenant_id, document_key, tax_code, tax_percent

),

currencies as (

    select * from {{ ref('currencies') }}

),

nets as (

    select
        lines.tenant_id,
        lines.document_key,
        lines.bill_to_customer_id,
        lines.customer_id,
        lines.charge,
        lines.currency,
        line_rates.tax_code,
        line_rates.tax_percent,
        sum(lines.amount) as amount
    from lines
    inner join line_rates
        on
            lines.tenant_id = line_rates.tenant_id
            and lines.document_key = line_rates.document_key
            and lines.line_no = line_rates.line_no
    group by all

),

shared as (

    select
        nets.*,
        {{ to_scaled('coalesce(taxes.amount, 0)', 4) }} // {{ power_of_ten('4 - currencies.minor_digits') }} as tax_minor,
        {{ power_of_ten('4 - currencies.minor_digits') }} as minor_unit,
        {{ to_scaled('sum(nets.amount) over in_order', 4) }} as reached,
        {{ to_scaled('nets.amount', 4) }} as own,
        {{ to_scaled('sum(nets.amount) over of_rate', 4) }} as whole
    from nets
    inner join currencies on nets.currency = currencies.currency
    left join taxes
        on
            nets.tenant_id = taxes.tenant_id
            and nets.document_key = taxes.document_key
            and nets.tax_code is not distinct from taxes.tax_code
            and nets.tax_percent = taxes.tax_percent
    window
        of_rate as (partition by nets.tenant_id, nets.document_key, nets.tax_code, nets.tax_percent),
        in_order as (
            partition by nets.tenant_id, nets.document_key, nets.tax_code, nets.tax_percent order by nets.customer_id, nets.charge
            rows between unbounded preceding and current row
        )

),

taxed as (

    select
        *,
        case
            when whole = 0 then 0
            else minor_unit * (
                {{ divide_half_up('(tax_minor * sign(whole) * reached)', 'abs(whole)') }}
                - {{ divide_half_up('(tax_minor * sign(whole) * (reached - own))', 'abs(whole)') }}
            )
        end as tax_scaled
    from shared

)

select
    tenant_id,
    document_key,
    bill_to_customer_id,
    customer_id,
    charge,
    currency,
    cast(sum(amount + {{ from_scaled('tax_scaled', 4) }}) as decimal(20, 4)) as amount
from taxed
group by tenant_id, document_key, bill_to_customer_id, customer_id, charge, currency
having sum(amount + {{ from_scaled('tax_scaled', 4) }}) > 0
