-- Where the tax of every line that is due comes from, and how the line is treated. A correction is taxed as the line it corrects was.
with

places as (

    select * from {{ ref('int_taxes__line_places') }}

),

issued as (

    select
        tenant_id,
        line_id,
        tax_request_hash
    from {{ ref('stg_ratehouse__issued_invoice_lines') }}

),

tenants as (

    select
        tenant_id,
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
        places.tenant_id,
        places.document_key,
        places.line_no,
        places.customer_id,
        places.tax_on,
        places.is_exempt,
        tenants.provider,
        issued.line_id is not null as is_correction,
        issued.tax_request_hash is not null as is_of_quoted_line,
        coalesce(
            tenants.reverse_charge = 'eu'
            and (
                not tenants.is_tax_id_checked and places.tax_id_status = 'valid'
                or tenants.is_tax_id_checked and tax_ids.standing in ('valid', 'unconfirmed')
            )
            and places.country <> tenants.country
            and places.country in (select country from eu),
            false
        ) as is_reverse_charge
    from places
    inner join tenants on places.tenant_id = tenants.tenant_id
    left join issued
        on
            places.tenant_id = issued.tenant_id
            and places.corrects_line_id = issued.line_id
    left join tax_ids
        on
            places.tenant_id = tax_ids.tenant_id
            and places.document_key = tax_ids.document_key
            and places.customer_id = tax_ids.customer_id
            and places.tax_on = tax_ids.tax_on

)

select
    tenant_id,
    document_key,
    line_no,
    customer_id,
    tax_on,
    provider,
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
        when is_exempt then 'exempt'
        when is_reverse_charge then 'reverse_charge'
    end as exemption
from treated
