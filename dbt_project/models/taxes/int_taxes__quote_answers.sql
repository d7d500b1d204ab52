-- The tax by item and jurisdiction as each provider writes it. Amounts are those of the provider, to the letter.
with

quotes as (

    select * from {{ ref('stg_ratehouse__tax_quotes') }}
    where status = 'quoted'

),

-- AvaTax: a line has a detail for each jurisdiction.
avalara_lines as (

    select
        tenant_id,
        request_hash,
        unnest({{ json_elements(json_part('response', 'lines')) }}) as line
    from quotes
    where provider = 'avalara'

),

avalara_details as (

    select
        tenant_id,
        request_hash,
        line,
        unnest({{ json_elements(json_part('line', 'details')) }}) as detail
    from avalara_lines

),

avalara as (

    select
        tenant_id,
        request_hash,
        {{ json_text('line', 'lineNumber') }} as item_no,
        concat_ws(
            ' ', {{ json_text('detail', 'region') }}, {{ json_text('detail', 'jurisName') }}, lower({{ json_text('detail', 'jurisType') }})
        ) as jurisdiction,
        {{ json_text('detail', 'rate') }} as rate,
        {{ json_text('detail', 'tax') }} as tax
    from avalara_details

),

-- TaxJar: an item has a pair of columns for each level of government.
taxjar_items as (

    select
        tenant_id,
        request_hash,
        response,
        unnest({{ json_elements(json_part('response', 'tax.breakdown.line_items')) }}) as item
    from quotes
    where provider = 'taxjar'

),

levels (level, rate_key, tax_key) as (

    values
    ('country', 'country_tax_rate', 'country_tax_collectable'),
    ('state', 'state_sales_tax_rate', 'state_amount'),
    ('county', 'county_tax_rate', 'county_amount'),
    ('city', 'city_tax_rate', 'city_amount'),
    ('special district', 'special_tax_rate', 'special_district_amount'),
    ('gst', 'gst_tax_rate', 'gst'),
    ('pst', 'pst_tax_rate', 'pst'),
    ('qst', 'qst_tax_rate', 'qst')

),

taxjar as (

    select
        items.tenant_id,
        items.request_hash,
        {{ json_text('items.item', 'id') }} as item_no,
        concat_ws(
            ' ',
            coalesce({{ json_text('items.response', 'tax.jurisdictions.state') }}, {{ json_text('items.response', 'tax.jurisdictions.country') }}),
            case levels.level
                when 'county' then {{ json_text('items.response', 'tax.jurisdictions.county') }}
                when 'city' then {{ json_text('items.response', 'tax.jurisdictions.city') }}
            end,
            levels.level
        ) as jurisdiction,
        {{ json_text_at('items.item', 'levels.rate_key') }} as rate,
        {{ json_text_at('items.item', 'levels.tax_key') }} as tax
    from taxjar_items as items
    cross join levels

),

parts as (

    select * from avalara
    union all
    select * from taxjar

)

select
    tenant_id,
    request_hash,
    try_cast(item_no as bigint) as item_no,
    jurisdiction,
    cast(coalesce(try_cast(rate as decimal(28, 12)), 0) * 100 as decimal(28, 12)) as percent,
    cast(sum(try_cast(tax as decimal(38, 12))) as decimal(38, 12)) as stated_amount,
    -- A number that cannot be read must not pass for none.
    bool_or(try_cast(item_no as bigint) is null or try_cast(tax as decimal(38, 12)) is null) as is_unreadable
from parts
where tax is not null
group by all
