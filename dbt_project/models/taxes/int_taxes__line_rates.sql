-- The rate of every line that is due, and how the line is treated: the rate of the settings, nothing for the exempt and for a business
-- elsewhere in the EU that accounts for the tax itself, what the provider says where there is one. A correction is taxed as the line it
-- corrects was.
with

places as (

    select * from {{ ref('int_taxes__line_places') }}

),

sources as (

    select * from {{ ref('int_taxes__line_sources') }}

),

issued as (

    select * from {{ ref('stg_ratehouse__issued_invoice_lines') }}

),

-- What the items of a provider's answer bear in all.
quoted as (

    select
        quotes.tenant_id,
        quotes.document_key,
        items.line_no,
        cast(sum(parts.percent) as decimal(28, 12)) as tax_percent
    from {{ ref('int_taxes__document_quotes') }} as quotes
    inner join {{ ref('int_taxes__quote_items') }} as items
        on
            quotes.tenant_id = items.tenant_id
            and quotes.document_key = items.document_key
            and quotes.customer_id = items.customer_id
    inner join {{ ref('int_taxes__quote_parts') }} as parts
        on
            quotes.tenant_id = parts.tenant_id
            and quotes.request_hash = parts.request_hash
            and items.item_no = parts.item_no
    where quotes.status = 'quoted' and parts.amount <> 0
    group by quotes.tenant_id, quotes.document_key, items.line_no

),

rated as (

    select
        places.*,
        sources.source,
        sources.exemption,
        case sources.source when 'table' then places.rate_percent when 'quoted' then quoted.tax_percent end as percent
    from places
    inner join sources
        on
            places.tenant_id = sources.tenant_id
            and places.document_key = sources.document_key
            and places.line_no = sources.line_no
    left join quoted
        on
            places.tenant_id = quoted.tenant_id
            and places.document_key = quoted.document_key
            and places.line_no = quoted.line_no

),

treated as (

    select
        *,
        coalesce(percent, 0) as tax_percent,
        coalesce(case when source = 'table' then rate_code end, tax_code) as applied_code,
        case
            when coalesce(percent, 0) <> 0 then 'taxed'
            when exemption is not null then exemption
            when source = 'table' and percent = 0 then 'zero_rated'
            else 'untaxed'
        end as treatment
    from rated

)

select
    treated.tenant_id,
    treated.document_key,
    treated.line_no,
    treated.source,
    case when issued.line_id is not null then issued.tax_code else treated.applied_code end as tax_code,
    case when issued.line_id is not null then issued.tax_percent else treated.tax_percent end as tax_percent,
    -- A line of the ledger from before it said so was taxed where its customer is.
    case when issued.tax_treatment is not null then issued.tax_country else treated.country end as tax_country,
    case when issued.tax_treatment is not null then issued.tax_region else treated.region end as tax_region,
    case
        when issued.line_id is null then treated.treatment
        else coalesce(issued.tax_treatment, case when coalesce(issued.tax_percent, 0) <> 0 then 'taxed' else 'untaxed' end)
    end as treatment,
    case when issued.line_id is not null then issued.certificate_id else treated.certificate_id end as certificate_id,
    case when issued.line_id is not null then issued.certificate_number else treated.certificate_number end as certificate_number,
    treated.source = 'table' and treated.is_rate_missing as is_rate_missing
from treated
left join issued
    on
        treated.tenant_id = issued.tenant_id
        and treated.corrects_line_id = issued.line_id
