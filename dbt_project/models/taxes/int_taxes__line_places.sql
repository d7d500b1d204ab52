-- What the tax of every line that is due depends on: the place of its customer, the day whose rules hold for it, the rate of the settings
-- there and the customer's certificate. The day is the last of its service, or the day it is billed if that is earlier (Directive
-- 2006/112, Art. 63 to 65). The rate is that of the charge's code, the country's first where the charge names none.
with

lines as (

    select * from {{ ref('int_invoicing__net_lines') }}

),

customers as (

    select * from {{ ref('int_subscriptions__customers') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

rates as (

    select * from {{ ref('int_taxes__rates') }}

),

certificates as (

    select * from {{ ref('int_taxes__certificates') }}

),

placed as (

    select
        lines.tenant_id,
        lines.document_key,
        lines.line_no,
        lines.customer_id,
        lines.tax_code,
        lines.corrects_line_id,
        case when retaxed.line_id is not null then retaxed.country else customers.country end as country,
        case when retaxed.line_id is not null then retaxed.region else customers.region end as region,
        customers.tax_id,
        customers.tax_id_status,
        coalesce(customers.tax_exempt, false) as is_customer_exempt,
        -- What is charged anew is where and when it was.
        coalesce(retaxed.tax_on, least(lines.service_end - 1, {{ local_date('tenants.billing_as_of', 'payers.timezone') }})) as tax_on
    from lines
    inner join tenants on lines.tenant_id = tenants.tenant_id
    inner join customers
        on
            lines.tenant_id = customers.tenant_id
            and lines.customer_id = customers.customer_id
    inner join customers as payers
        on
            lines.tenant_id = payers.tenant_id
            and lines.bill_to_customer_id = payers.customer_id
    left join {{ ref('int_taxes__retaxed_lines') }} as retaxed
        on
            lines.tenant_id = retaxed.tenant_id
            and lines.replaces_line_id = retaxed.line_id

),

rated as (

    select
        placed.*,
        rates.tax_code as rate_code,
        rates.percent as rate_percent
    from placed
    left join rates
        on
            placed.tenant_id = rates.tenant_id
            and placed.country = rates.country
            and (rates.region is null or rates.region = placed.region)
            and (placed.tax_code is null or placed.tax_code = rates.tax_code)
            and placed.tax_on >= rates.starts_on
            and placed.tax_on < rates.ends_on
    qualify row_number() over (
        partition by placed.tenant_id, placed.document_key, placed.line_no
        order by rates.region is null, rates.position
    ) = 1

),

-- Lines for which the settings have a rate, on whatever day.
undated as (

    select distinct
        placed.tenant_id,
        placed.document_key,
        placed.line_no
    from placed
    inner join rates
        on
            placed.tenant_id = rates.tenant_id
            and placed.country = rates.country
            and (rates.region is null or rates.region = placed.region)
            and (placed.tax_code is null or placed.tax_code = rates.tax_code)

),

certified as (

    select
        rated.tenant_id,
        rated.document_key,
        rated.line_no,
        certificates.certificate_id,
        certificates.number,
        certificates.reason
    from rated
    inner join certificates
        on
            rated.tenant_id = certificates.tenant_id
            and rated.customer_id = certificates.customer_id
            and {{ certificate_covers('certificates', 'rated.country', 'rated.region', 'coalesce(rated.tax_code, rated.rate_code)', 'rated.tax_on') }}
    qualify row_number() over (
        partition by rated.tenant_id, rated.document_key, rated.line_no order by {{ best_certificate('certificates') }}
    ) = 1

)

select
    rated.*,
    -- Rates that end without another one after them are a gap, not a country without tax.
    rated.rate_percent is null and undated.line_no is not null as is_rate_missing,
    certified.certificate_id,
    certified.number as certificate_number,
    certified.reason as exemption_reason,
    rated.is_customer_exempt or certified.certificate_id is not null as is_exempt
from rated
left join undated
    on
        rated.tenant_id = undated.tenant_id
        and rated.document_key = undated.document_key
        and rated.line_no = undated.line_no
left join certified
    on
        rated.tenant_id = certified.tenant_id
        and rated.document_key = certified.document_key
        and rated.line_no = certified.line_no
