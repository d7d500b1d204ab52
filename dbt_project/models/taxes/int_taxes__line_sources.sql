-- Where the tax of every line that is due comes from, and the day whose rules hold for it: the last day of its service, or the day it is
-- billed if that is earlier (Directive 2006/112, Art. 63 to 65). A correction is taxed as the line it corrects was.
with

lines as (

    select * from {{ ref('int_invoicing__net_lines') }}

),

issued as (

    select
        tenant_id,
        line_id,
        tax_request_hash
    from {{ ref('stg_ratehouse__issued_invoice_lines') }}

),

customers as (

    select * from {{ ref('int_subscriptions__customers') }}

),

tenants as (

    select
        tenant_id,
        billing_as_of,
        {{ json_text('document', 'tax.provider') }} as provider,
        {{ json_text('document', 'legal_entity.country') }} as country,
        {{ json_text('document', 'tax.reverse_charge') }} as reverse_charge,
        coalesce({{ json_text('document', 'tax.tax_id_check') }} = 'vies', false) as is_tax_id_checked
    from {{ ref('stg_ratehouse__tenants') }}

),

eu as (

    select * from {{ ref('eu_countries') }}

),

tax_ids as (

    select * from {{ ref('int_taxes__tax_ids') }}

),

treated as (

    select
        lines.tenant_id,
        lines.document_key,
        lines.line_no,
        lines.customer_id,
        least(lines.service_end - 1, {{ local_date('tenants.billing_as_of', 'payers.timezone') }}) as tax_on,
        tenants.provider,
        issued.line_id is not null as is_correction,
        issued.tax_request_hash is not null as is_of_quoted_line,
        coalesce(customers.tax_exempt, false) as is_exempt,
        coalesce(
            tenants.reverse_charge = 'eu'
            and (
                not tenants.is_tax_id_checked and customers.tax_id_status = 'valid'
                or tenants.is_tax_id_checked and tax_ids.standing in ('valid', 'unconfirmed')
            )
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
    inner join customers as payers
        on
            lines.tenant_id = payers.tenant_id
            and lines.bill_to_customer_id = payers.customer_id
    left join issued
        on
            lines.tenant_id = issued.tenant_id
            and lines.corrects_line_id = issued.line_id
    left join tax_ids
        on
            lines.tenant_id = tax_ids.tenant_id
            and lines.document_key = tax_ids.document_key
            and lines.customer_id = tax_ids.customer_id
            and least(lines.service_end - 1, {{ local_date('tenants.billing_as_of', 'payers.timezone') }}) = tax_ids.tax_on

)

select
    tenant_id,
    document_key,
    line_no,
    customer_id,
    tax_on,
    provider,
    is_exempt,
    case
        when is_of_quoted_line then 'returned'
        when is_correction then 'corrected'
        when is_reverse_charge then 'none'
        when provider <> 'table' then 'quoted'
        when is_exempt then 'none'
        else 'table'
    end as source,
    case
        when is_correction then null
        when is_exempt then 'tax_exempt'
        when is_reverse_charge then 'reverse_charge'
    end as note
from treated
