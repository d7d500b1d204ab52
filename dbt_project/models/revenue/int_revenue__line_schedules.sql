-- A subscription that is its own contract: each item is earned over its own days of service, a one-time charge on the day of its service,
-- so a credit line takes back what it credits in the months it credits; usage as it is used. Only the months that an item touches.
-- depends_on: {{ ref('int_revenue__changed_contracts') }}
{{ config(materialized='by_contract') }}
with

month_ends as (

    select * from {{ ref('int_revenue__month_ends') }}
    where subscription_id is not null

),

-- Where the days of each month stand on the scales of schedules.
calendar as (

    select
        month_start,
        {%- for name, day in [
            ('start', 'month_start'), ('end', 'as_of + 1'),
            ('year', 'cast(month_start + to_months(13) as date)'), ('two_years', 'cast(month_start + to_months(25) as date)')
        ] %}
        cast({{ schedule_position(day, "'ratable_day'") }} as bigint) as {{ name }}_in_days,
        cast({{ schedule_position(day, "'ratable_month'") }} as bigint) as {{ name }}_in_months{{ ',' if not loop.last }}
        {%- endfor %}
    from (
        select distinct
            month_start,
            as_of
        from month_ends
    ) as months

),

items as (

    select
        *,
        cast({{ schedule_position('starts_on', 'recognise') }} as bigint) as start_position,
        cast({{ schedule_position('ends_on', 'recognise') }} as bigint) as end_position,
        -- The first day before which all of it is earned, whatever its days of service say.
        case when recognise = 'point_in_time' then starts_on else ended_on end as complete_on
    from {{ ref('int_revenue__items') }}

),

usage as (

    select * from {{ ref('int_revenue__usage') }}

),

touched as (

    select
        month_ends.tenant_id,
        month_ends.contract_id,
        items.charge as obligation_id,
        items.item_id,
        items.recognise,
        month_ends.period,
        month_ends.as_of,
        month_ends.minor_digits,
        items.amount as allocated,
        items.end_position - items.start_position as service,
        {%- for name in ('start', 'end', 'year', 'two_years') %}
        least(
            greatest(
                case items.recognise when 'ratable_month' then calendar.{{ name }}_in_months else calendar.{{ name }}_in_days end,
                items.start_position
            ),
            items.end_position
        ) - items.start_position as served_by_{{ name }},
        {%- endfor %}
        month_ends.month_start <= items.starts_on as is_first,
        coalesce(month_ends.month_start > items.complete_on, false) as was_complete,
        coalesce(month_ends.as_of >= items.complete_on, false) as is_complete
    from month_ends
    inner join items
        on
            month_ends.tenant_id = items.tenant_id
            and month_ends.subscription_id = items.subscription_id
            and month_ends.as_of >= items.starts_on
            and month_ends.month_start < greatest(items.ends_on, items.starts_on + 1)
    inner join calendar on month_ends.month_start = calendar.month_start

),

by_days as (

    select
        tenant_id,
        contract_id,
        obligation_id,
        item_id,
        recognise,
        period,
        as_of,
        minor_digits,
        allocated,
        case when is_complete then allocated else {{ share_of_minor('allocated', 'served_by_end', 'service') }} end as recognised_to_date,
        case when is_complete then allocated else {{ share_of_minor('allocated', 'served_by_year', 'service') }} end as recognised_in_a_year,
        case when is_complete then allocated else {{ share_of_minor('allocated', 'served_by_two_years', 'service') }} end as recognised_in_two_years,
        case
            when is_first then 0
            when was_complete then allocated
            else {{ share_of_minor('allocated', 'served_by_start', 'service') }}
        end as recognised_before
    from touched

),

by_use as (

    select
        month_ends.tenant_id,
        month_ends.contract_id,
        usage.charge as obligation_id,
        usage.item_id,
        'as_invoiced' as recognise,
        month_ends.period,
        month_ends.as_of,
        month_ends.minor_digits,
        case when month_ends.as_of + 1 >= usage.service_end then usage.amount else usage.amount_to_date end as allocated,
        usage.amount_to_date as recognised_to_date,
        case when month_ends.as_of + 1 >= usage.service_end then usage.amount else usage.amount_to_date end as recognised_in_a_year,
        case when month_ends.as_of + 1 >= usage.service_end then usage.amount else usage.amount_to_date end as recognised_in_two_years,
        coalesce(lag(usage.amount_to_date) over (
            partition by month_ends.tenant_id, month_ends.contract_id, usage.charge, usage.item_id order by month_ends.as_of
        ), 0) as recognised_before
    from month_ends
    inner join usage
        on
            month_ends.tenant_id = usage.tenant_id
            and month_ends.subscription_id = usage.subscription_id
            and month_ends.as_of = usage.as_of

)

select
    * exclude (recognised_before),
    recognised_to_date - recognised_before as recognised
from (
    select * from by_days
    union all
    select * from by_use
) as every
