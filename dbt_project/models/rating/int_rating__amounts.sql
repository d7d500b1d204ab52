-- What everything that is priced costs: one row per pricing key and group of dimensions.
-- Order of a charge: price, its share of the cycle, discount, minimum, maximum, pricing unit, then the one rounding.
with

items as (

    select * from {{ ref('int_rating__items') }}

),

units as {{ not_materialized() }}(

    select * from {{ ref('int_rating__units') }}

),

tier_amounts as (

    select * from {{ ref('int_rating__tier_amounts') }}

),

unpriced as (

    select * from {{ ref('int_rating__unpriced') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

books as (

    select * from {{ ref('stg_ratehouse__price_books') }}

),

-- A charge that waits for a price waits as a whole; a group without one leaves the others alone.
priceable as (

    select units.*
    from units
    where
        not units.is_unmatched
        and units.pricing_key not in (select pricing_key from unpriced where status <> 'unmatched_price')

),

unit_amounts as (

    select
        pricing_key,
        dimension_values,
        bucket_label,
        part_no,
        sum(amount_exact) as amount_exact,
        min(unit_price) as unit_price,
        count(*) as tiers
    from tier_amounts
    where pricing_key in (select pricing_key from priceable)
    group by pricing_key, dimension_values, bucket_label, part_no

),

window_amounts as (

    select
        priceable.pricing_key,
        priceable.dimension_values,
        priceable.bucket_label,
        sum(case
            when priceable.share_units = priceable.share_total then priceable.quantity
            else cast({{ prorate('priceable.quantity', 'priceable.share_units', 'priceable.share_total') }} as decimal(28, 10))
        end) as quantity,
        max(priceable.included_quantity) as included_quantity,
        sum(priceable.event_count) as event_count,
        min(priceable.model) as model,
        case when max(unit_amounts.tiers) = 1 and min(unit_amounts.unit_price) = max(unit_amounts.unit_price) then min(unit_amounts.unit_price) end as unit_price,
        coalesce(sum(unit_amounts.amount_exact), 0) as amount_exact
    from priceable
    left join unit_amounts
        on
            priceable.pricing_key = unit_amounts.pricing_key
            and priceable.dimension_values = unit_amounts.dimension_values
            and priceable.bucket_label is not distinct from unit_amounts.bucket_label
            and priceable.part_no = unit_amounts.part_no
    group by priceable.pricing_key, priceable.dimension_values, priceable.bucket_label

),

shared as (

    select
        window_amounts.* replace (
            {{ prorate('window_amounts.amount_exact', "case when items.type = 'recurring' then items.service_units else 1 end", "case when items.type = 'recurring' then items.cycle_units else 1 end") }}
                as amount_exact
        ),
        items.discount_percent,
        items.minimum,
        items.maximum,
        case when items.charge_window is null then items.service_units else 1 end as limit_units,
        case when items.charge_window is null then items.cycle_units else 1 end as limit_total
    from window_amounts
    inner join items on window_amounts.pricing_key = items.pricing_key

),

-- Discount, minimum and maximum hold for all groups together and land on the last group's row.
totals as (

    select
        *,
        sum(amount_exact) over together as total,
        row_number() over (partition by pricing_key, bucket_label order by dimension_values desc) = 1 as is_last_group,
        {{ prorate('minimum', 'limit_units', 'limit_total') }} as minimum_exact,
        {{ prorate('maximum', 'limit_units', 'limit_total') }} as maximum_exact
    from shared
    window together as (partition by pricing_key, bucket_label)

),

discounted as (

    select
        *,
        case
            when discount_percent is null then total
            else {{ prorate('total', to_scaled('(100 - discount_percent)', 12), 100 * 10 ** 12) }}
        end as discounted_total
    from totals

),

adjusted as (

    select
        * replace (
            cast(amount_exact + case
                when not is_last_group then 0
                else least(greatest(discounted_total, coalesce(minimum_exact, discounted_total)), coalesce(maximum_exact, greatest(discounted_total, coalesce(minimum_exact, discounted_total)))) - total
            end as {{ exact_amount() }}) as amount_exact
        ),
        amount_exact + case when is_last_group then discounted_total - total else 0 end as unlimited_exact
    from discounted

),

summed as (

    select
        pricing_key,
        dimension_values,
        sum(quantity) as quantity,
        sum(included_quantity) as included_quantity,
        sum(event_count) as event_count,
        min(model) as model,
        case when count(*) = 1 then min(unit_price) end as unit_price,
        sum(amount_exact) as amount_exact,
        sum(unlimited_exact) as unlimited_exact
    from adjusted
    group by pricing_key, dimension_values

),

-- A charge priced by window with no window to price is still a row.
complete as (

    select * from summed
    union all
    select
        pricing_key,
        '' as dimension_values,
        0 as quantity,
        0 as included_quantity,
        0 as event_count,
        null as model,
        null as unit_price,
        0 as amount_exact,
        0 as unlimited_exact
    from items
    where
        type = 'usage'
        and pricing_key not in (select pricing_key from units)

),

-- Asked of the book once for each unit: a join of every slice with its book would copy the whole book as often.
pricing_units as (

    select
        priced_in.*,
        cast({{ json_text_at('books.document', "'units.' || priced_in.pricing_unit || '.digits'") }} as integer) as unit_digits,
        cast({{ json_text_at('books.document', "'units.' || priced_in.pricing_unit || '.' || priced_in.currency") }} as decimal(28, 12)) as unit_rate
    from (select distinct tenant_id, price_book, pricing_unit, currency from items where pricing_unit is not null) as priced_in
    inner join books
        on
            priced_in.tenant_id = books.tenant_id
            and priced_in.price_book = books.price_book

),

placed as (

    select
        items.tenant_id,
        complete.*,
        items.pricing_unit,
        pricing_units.unit_digits,
        pricing_units.unit_rate,
        currencies.minor_digits,
        tenants.rounding_mode
    from complete
    inner join items on complete.pricing_key = items.pricing_key
    inner join tenants on items.tenant_id = tenants.tenant_id
    inner join currencies on items.currency = currencies.currency
    left join pricing_units
        on
            items.tenant_id = pricing_units.tenant_id
            and items.price_book = pricing_units.price_book
            and items.pricing_unit = pricing_units.pricing_unit
            and items.currency = pricing_units.currency

),

converted as (

    select
        *,
        {{ in_money('amount_exact') }} as money_exact,
        {{ in_money('unlimited_exact') }} as unlimited_money_exact
    from placed

)

select
    tenant_id,
    pricing_key,
    dimension_values,
    model,
    cast(quantity as decimal(28, 10)) as quantity,
    cast(included_quantity as decimal(28, 10)) as included_quantity,
    cast(unit_price as decimal(28, 12)) as unit_price,
    cast(event_count as bigint) as event_count,
    cast(money_exact as {{ exact_amount() }}) as amount_exact,
    {{ round_money('money_exact', 'minor_digits', 'rounding_mode') }} as amount,
    -- Before minimum and maximum: what the running period has come to so far.
    {{ round_money('unlimited_money_exact', 'minor_digits', 'rounding_mode') }} as unlimited_amount
from converted
