-- How far each obligation is satisfied at every month end, as an exact ratio of integers; never rounded, never above 1.
-- `numerator_in_a_year` is the same ratio as it will be twelve months on by what is known now.
with

month_ends as (

    select * from {{ ref('int_revenue__month_ends') }}

),

obligations as (

    select * from {{ ref('int_revenue__standalone_prices') }}
    where refusal is null

),

events as (

    select
        tenant_id,
        contract_id,
        {{ json_text('data', 'obligation_id') }} as obligation_id,
        type,
        effective_on,
        event_id,
        cast({{ json_text('data', 'units') }} as decimal(28, 10)) as units,
        {{ json_text('data', 'measure') }} as measure,
        cast({{ json_text('data', 'expected_unredeemed') }} as decimal(28, 10)) as expected_unredeemed
    from {{ ref('stg_ratehouse__contract_events') }}
    where type in ('delivered', 'redeemed', 'progress', 'breakage', 'cancelled')

),

terms as (

    select
        month_ends.period,
        month_ends.month_start,
        month_ends.as_of,
        month_ends.minor_digits,
        obligations.*
    from month_ends
    inner join obligations
        on
            month_ends.tenant_id = obligations.tenant_id
            and month_ends.contract_id = obligations.contract_id
            and month_ends.as_of >= obligations.valid_from
            and month_ends.as_of < obligations.valid_before

),

-- What events had said by each month end. A delivery without units is all of it.
told as (

    select
        terms.tenant_id,
        terms.contract_id,
        terms.obligation_id,
        terms.as_of,
        coalesce(sum(events.units) filter (where events.type in ('delivered', 'redeemed')), 0) as transferred,
        coalesce(bool_or(events.type in ('delivered', 'redeemed') and events.units is null), false) as is_delivered,
        coalesce(bool_or(events.type = 'cancelled'), false) as is_cancelled,
        arg_max(events.measure, (events.effective_on, events.event_id)) filter (where events.type = 'progress') as measure,
        arg_max(events.expected_unredeemed, (events.effective_on, events.event_id)) filter (where events.type = 'breakage') as expected_unredeemed
    from terms
    left join events
        on
            terms.tenant_id = events.tenant_id
            and terms.contract_id = events.contract_id
            and (terms.obligation_id = events.obligation_id or events.type = 'cancelled')
            and terms.as_of >= events.effective_on
    group by terms.tenant_id, terms.contract_id, terms.obligation_id, terms.as_of

),

measured as (

    select
        terms.*,
        told.is_delivered or told.is_cancelled as is_done,
        {{ to_scaled('cast(told.transferred as decimal(38, 10))', 10) }} as transferred,
        {{ to_scaled('cast(terms.units - coalesce(told.expected_unredeemed, terms.expected_unredeemed) as decimal(38, 10))', 10) }} as transferable,
        {{ to_scaled("cast(coalesce(split_part(told.measure, '/', 1), '0') as decimal(38, 10))", 10) }} as measured,
        {{ to_scaled("cast(coalesce(nullif(split_part(told.measure, '/', 2), ''), '1') as decimal(38, 10))", 10) }} as measurable
    from terms
    inner join told
        on
            terms.tenant_id = told.tenant_id
            and terms.contract_id = told.contract_id
            and terms.obligation_id = told.obligation_id
            and terms.as_of = told.as_of

),

ratios as (

    select
        *,
        case
            when recognise in ('ratable_day', 'ratable_month') then {{ served('start_on', 'end_on', 'end_on', 'recognise') }}
            when recognise = 'usage' then transferable
            when recognise = 'progress' then measurable
            else 1
        end as whole,
        {%- for name, before in [('part', 'as_of + 1'), ('part_in_a_year', 'month_start + to_months(13)')] %}
        case
            when recognise in ('ratable_day', 'ratable_month') then {{ served('start_on', 'end_on', 'cast(' ~ before ~ ' as date)', 'recognise') }}
            -- What nobody has redeemed when the right expires is breakage of the day before.
            when recognise = 'usage' and {{ before }} >= end_on then transferable
            when recognise = 'usage' then transferred
            when recognise = 'progress' then measured
            when recognise = 'point_in_time' and ({{ before }} > satisfied_on or transferred >= transferable) then 1
            else 0
        end as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from measured

)

select
    tenant_id,
    contract_id,
    obligation_id,
    period,
    month_start,
    as_of,
    minor_digits,
    recognise,
    price_group,
    effective_ssp,
    case when is_done or coalesce(whole, 0) <= 0 then 1 else whole end as denominator,
    case when is_done then 1 when coalesce(whole, 0) <= 0 then 0 else least(part, whole) end as numerator,
    case when is_done then 1 when coalesce(whole, 0) <= 0 then 0 else least(part_in_a_year, whole) end as numerator_in_a_year
from ratios
