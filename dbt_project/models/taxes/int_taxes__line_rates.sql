-- The rate of every line that is due: the code of its charge among the rates of the customer's country and region that hold on its tax
-- day, the country's first where the charge names none; nothing for the exempt, and for a business elsewhere in the EU that accounts for
-- the tax itself; what the provider says where there is one. A correction is taxed as the line it corrects was.
with

lines as (

    select * from {{ ref('int_invoicing__net_lines') }}

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

sources as (

    select * from {{ ref('int_taxes__line_sources') }}

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

treated as (

    select
        lines.tenant_id,
        lines.document_key,
        lines.line_no,
        lines.tax_code,
        lines.corrects_line_id,
        customers.country,
        customers.region,
        sources.source,
        sources.tax_on,
        sources.note
    from lines
    inner join customers
        on
            lines.tenant_id = customers.tenant_id
            and lines.customer_id = customers.customer_id
    inner join sources
        on
            lines.tenant_id = sources.tenant_id
            and lines.document_key = sources.document_key
            and lines.line_no = sources.line_no

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
            and treated.source = 'table'
            and treated.tax_on >= rates.starts_on
            and treated.tax_on < rates.ends_on
    qualify row_number() over (
        partition by treated.tenant_id, treated.document_key, treated.line_no
        order by rates.region is null, rates.position
    ) = 1

),

-- Lines for which the settings have a rate, on whatever day.
undated as (

    select distinct
        treated.tenant_id,
        treated.document_key,
        treated.line_no
    from treated
    inner join rates
        on
            treated.tenant_id = rates.tenant_id
            and treated.country = rates.country
            and (rates.region is null or rates.region = treated.region)
            and (treated.tax_code is null or treated.tax_code = rates.tax_code)

)

select
    matched.tenant_id,
    matched.document_key,
    matched.line_no,
    matched.source,
    case when issued.line_id is not null then issued.tax_code else coalesce(matched.rate_code, matched.tax_code) end as tax_code,
    case when issued.line_id is not null then issued.tax_percent else coalesce(quoted.tax_percent, matched.percent, 0) end as tax_percent,
    matched.note,
    -- Rates that end without another one after them are a gap, not a country without tax.
    matched.source = 'table' and matched.percent is null and undated.tenant_id is not null as is_rate_missing
from matched
left join issued
    on
        matched.tenant_id = issued.tenant_id
        and matched.corrects_line_id = issued.line_id
left join quoted
    on
        matched.tenant_id = quoted.tenant_id
        and matched.document_key = quoted.document_key
        and matched.line_no = quoted.line_no
left join undated
    on
        matched.tenant_id = undated.tenant_id
        and matched.document_key = undated.document_key
        and matched.line_no = undated.line_no
