-- The rate of every line that is due: the code of its charge among the rates of the customer's country and region, the country's
-- first where the charge names none; nothing for the exempt, and for a business elsewhere in the EU that accounts for the tax
-- itself. A correction is taxed as the line it corrects was.
with

lines as (

    select * from {{ ref('int_invoicing__owed_lines') }}

),

issued as (

    select
        tenant_id,
        line_id,
        tax_code,
        tax_percent
    from {{ ref('stg_ratehouse__issued_invoice_lines') }}

),

rates as (

    select * from {{ ref('int_taxes__rates') }}

),

customers as (

    select * from {{ ref('int_subscriptions__customers') }}

),

tenants as (

    select
        tenant_id,
        {{ json_text('document', 'legal_entity.country') }} as country,
        {{ json_text('document', 'tax.reverse_charge') }} as reverse_charge
    from {{ ref('stg_ratehouse__tenants') }}

),

eu as (

    select * from {{ ref('eu_countries') }}

),

treated as (

    select
        lines.tenant_id,
        lines.document_key,
        lines.line_no,
        lines.tax_code,
        lines.corrects_line_id,
        customers.country,
        customers.region,
        coalesce(customers.tax_exempt, false) as is_exempt,
        coalesce(
            tenants.reverse_charge = 'eu'
            and customers.tax_id_status = 'valid'
            and customers.country <> tenants.country
            and customers.country in (select country from eu),
            false
        ) as is_reverse_charge
    from lines
    inner join tenants on lines.tenant_id = tenants.tenant_id
    inner join customers
        on
            lines.tenant_id = customers.tenant_id
            and lines.customer_id = customers.customer_id

),

matched as (

    select
        treated.*,
        rates.tax_code as rate_code,
        rates.percent
    from treated
    left join rates
        on
            treated.tenant_id = rates.tenant_id
            and treated.country = rates.country
            and (rates.region is null or rates.region = treated.region)
            and (treated.tax_code is null or treated.tax_code = rates.tax_code)
            and not treated.is_exempt
            and not treated.is_reverse_charge
    qualify row_number() over (
        partition by treated.tenant_id, treated.document_key, treated.line_no
        order by rates.region is null, rates.position
    ) = 1

)

select
    matched.tenant_id,
    matched.document_key,
    matched.line_no,
    case when issued.line_id is not null then issued.tax_code else coalesce(matched.rate_code, matched.tax_code) end as tax_code,
    case when issued.line_id is not null then issued.tax_percent else coalesce(matched.percent, 0) end as tax_percent,
    case
        when issued.line_id is not null then null
        when matched.is_exempt then 'tax_exempt'
        when matched.is_reverse_charge then 'reverse_charge'
    end as note
from matched
left join issued
    on
        matched.tenant_id = issued.tenant_id
        and matched.corrects_line_id = issued.line_id
