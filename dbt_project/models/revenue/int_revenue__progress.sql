-- How far each obligation is satisfied at every month end and in every epoch of the contract so far, as an exact ratio of integers; never
-- rounded, never above 1. In an epoch that has ended it is the ratio of its last day; after a prospective modification it counts
-- from there: what is transferred since ÷ what then remained. `numerator_in_a_year`, `numerator_in_two_years`: as it will be then by
-- what is known now. A removed obligation is satisfied by what was transferred of it before, `kept_numerator` ÷ `kept_denominator` of what it was.
with

month_ends as (

    select * from {{ ref('int_revenue__month_ends') }}

),

epochs as (

    select * from {{ ref('int_revenue__epochs') }}

),

obligations as (

    select prices.*
    from {{ ref('int_revenue__standalone_prices') }} as prices
    inner join {{ ref('int_revenue__contracts') }} as contracts
        on
            prices.tenant_id = contracts.tenant_id
            and prices.contract_id = contracts.contract_id
            and prices.telling = contracts.telling

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

-- A contract of its own (a separate modification) is not ended by the modifications of the first.
terms as (

    select
        month_ends.period,
        month_ends.month_start,
        month_ends.as_of,
        month_ends.minor_digits,
        epochs.epoch,
        epochs.starts_on as epoch_starts_on,
        month_ends.as_of < epochs.ends_before or obligations.price_group <> 'contract' as is_last_epoch,
        least(
            case when obligations.price_group = 'contract' then least(month_ends.as_of, epochs.ends_before - 1) else month_ends.as_of end,
            case when obligations.is_removed then obligations.valid_from - 1 else month_ends.as_of end
        ) as measured_on,
        obligations.*
    from month_ends
    inner join epochs
        on
            month_ends.tenant_id = epochs.tenant_id
            and month_ends.contract_id = epochs.contract_id
            and month_ends.as_of >= epochs.starts_on
    inner join obligations
        on
            month_ends.tenant_id = obligations.tenant_id
            and month_ends.contract_id = obligations.contract_id
            and (obligations.price_group = 'contract' or epochs.epoch = 0)
            and case when obligations.price_group = 'contract' then least(month_ends.as_of, epochs.ends_before - 1) else month_ends.as_of end >= obligations.valid_from
            and case when obligations.price_group = 'contract' then least(month_ends.as_of, epochs.ends_before - 1) else month_ends.as_of end < obligations.valid_before

),

-- What events had said by that day, and by the epoch's start. A delivery without units is all of it.
told as (

    select
        terms.tenant_id,
        terms.contract_id,
        terms.obligation_id,
        terms.as_of,
        terms.epoch,
        coalesce(bool_or(events.type = 'cancelled'), false) as is_cancelled,
        arg_max(events.expected_unredeemed, (events.effective_on, events.event_id)) filter (where events.type = 'breakage') as expected_unredeemed,
        {%- for name, known in [('', 'true'), ('_before', 'events.effective_on < terms.epoch_starts_on')] %}
        coalesce(sum(events.units) filter (where events.type in ('delivered', 'redeemed') and {{ known }}), 0) as transferred{{ name }},
        coalesce(bool_or(events.type in ('delivered', 'redeemed') and events.units is null and {{ known }}), false) as is_delivered{{ name }},
        arg_max(events.measure, (events.effective_on, events.event_id)) filter (where events.type = 'progress' and {{ known }}) as measure{{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from terms
    left join events
        on
            terms.tenant_id = events.tenant_id
            and terms.contract_id = events.contract_id
            and (terms.obligation_id = events.obligation_id or events.type = 'cancelled')
            and terms.measured_on >= events.effective_on
    group by terms.tenant_id, terms.contract_id, terms.obligation_id, terms.as_of, terms.epoch

),

measured as (

    select
        terms.*,
        told.is_delivered_before,
        told.is_delivered or told.is_cancelled as is_done,
        {{ to_scaled('cast(terms.units - coalesce(told.expected_unredeemed, terms.expected_unredeemed) as decimal(38, 10))', 10) }} as transferable,
        {%- for name in ['', '_before'] %}
        {{ to_scaled('cast(told.transferred' ~ name ~ ' as decimal(38, 10))', 10) }} as transferred{{ name }},
        {{ to_scaled("cast(coalesce(split_part(told.measure" ~ name ~ ", '/', 1), '0') as decimal(38, 10))", 10) }} as measured{{ name }},
        {{ to_scaled("cast(coalesce(nullif(split_part(told.measure" ~ name ~ ", '/', 2), ''), '1') as decimal(38, 10))", 10) }} as measurable{{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from terms
    inner join told
        on
            terms.tenant_id = told.tenant_id
            and terms.contract_id = told.contract_id
            and terms.obligation_id = told.obligation_id
            and terms.as_of = told.as_of
            and terms.epoch = told.epoch

),

-- Measures of two days may have different denominators: 3/5 and 2/4 are brought to one.
scaled as (

    select
        * replace (
            measured // {{ greatest_common_divisor('measured', 'measurable') }} as measured,
            measurable // {{ greatest_common_divisor('measured', 'measurable') }} as measurable,
            measured_before // {{ greatest_common_divisor('measured_before', 'measurable_before') }} as measured_before,
            measurable_before // {{ greatest_common_divisor('measured_before', 'measurable_before') }} as measurable_before
        )
    from measured

),

parts as (

    select
        *,
        coalesce(case
            when recognise in ('ratable_day', 'ratable_month') then {{ served('start_on', 'end_on', 'end_on', 'recognise') }}
            when recognise = 'usage' then transferable
            when recognise = 'progress' then measurable * measurable_before
            else 1
        end, 0) as whole,
        {%- for name, before, transferred, measure in [
            ('part', 'measured_on + 1', 'transferred', 'measured * measurable_before'),
            ('part_in_a_year', 'month_start + to_months(13)', 'transferred', 'measured * measurable_before'),
            ('part_in_two_years', 'month_start + to_months(25)', 'transferred', 'measured * measurable_before'),
            ('part_before', 'least(epoch_starts_on, measured_on + 1)', 'transferred_before', 'measured_before * measurable'),
            ('part_without_breakage', 'measured_on + 1', 'transferred', 'measured * measurable_before'),
        ] %}
        case
            when recognise in ('ratable_day', 'ratable_month') then {{ served('start_on', 'end_on', 'cast(' ~ before ~ ' as date)', 'recognise') }}
            {%- if name != 'part_without_breakage' %}
            -- What nobody has redeemed when the right expires is breakage of the day before.
            when recognise = 'usage' and {{ before }} >= end_on then transferable
            {%- endif %}
            when recognise = 'usage' then {{ transferred }}
            when recognise = 'progress' then {{ measure }}
            when recognise = 'point_in_time' and ({{ before }} > satisfied_on or {{ transferred }} >= transferable) then 1
            else 0
        end as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from scaled

),

-- In its first epoch an obligation counts from nothing.
remaining as (

    select
        *,
        case
            when epoch = 0 then 0
            when is_delivered_before then whole
            else least(part_before, whole)
        end as gone
    from parts

)

select
    tenant_id,
    contract_id,
    obligation_id,
    epoch,
    is_last_epoch,
    period,
    month_start,
    as_of,
    minor_digits,
    recognise,
    price_group,
    is_removed,
    effective_ssp,
    -- Stated since this epoch began: the price of what remains, where it is not what is left of an older one.
    epoch = 0 or ssp_from >= epoch_starts_on as is_ssp_stated,
    case when is_removed or is_done or whole <= gone then 1 else whole - gone end as denominator,
    {%- for name, part in [('numerator', 'part'), ('numerator_in_a_year', 'part_in_a_year'), ('numerator_in_two_years', 'part_in_two_years'), ('numerator_without_breakage', 'part_without_breakage')] %}
    case
        -- Nothing is left to transfer after a modification; nothing is promised yet before one.
        when is_removed or is_done or (whole <= gone and epoch > 0) then 1
        when whole <= gone then 0
        else least({{ part }}, whole) - gone
    end as {{ name }},
    {%- endfor %}
    case when is_done or whole <= gone then 1 else whole - gone end as kept_denominator,
    case when is_done then 1 when whole <= gone then 0 else least(part, whole) - gone end as kept_numerator
from remaining
