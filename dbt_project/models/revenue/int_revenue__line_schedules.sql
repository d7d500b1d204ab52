-- A subscription that is its own contract: each item is earned over its own days of service, a one-time charge on the day of its service,
-- so a credit line takes back what it credits in the months it credits; usage as it is used. Only the months that an item touches.
with

month_ends as (

    select * from {{ ref('int_revenue__month_ends') }}
    where subscription_id is not null

),

items as (

    select * from {{ ref('int_revenue__items') }}

),

usage as (

    select * from {{ ref('int_revenue__usage') }}

),

by_days as (

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
        {%- for name, before in [('recognised_to_date', 'month_ends.as_of + 1'), ('recognised_in_a_year', 'cast(month_ends.month_start + to_months(13) as date)')] %}
        case
            when items.recognise = 'point_in_time' or month_ends.as_of >= items.ended_on then items.amount
            else {{ divide_half_up(
                '(items.amount * ' ~ served('items.starts_on', 'items.ends_on', before, 'items.recognise') ~ ')',
                served('items.starts_on', 'items.ends_on', 'items.ends_on', 'items.recognise')
            ) }}
        end as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from month_ends
    inner join items
        on
            month_ends.tenant_id = items.tenant_id
            and month_ends.subscription_id = items.subscription_id
            and month_ends.as_of >= items.starts_on
            and month_ends.month_start < greatest(items.ends_on, items.starts_on + 1)

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
        case when month_ends.as_of + 1 >= usage.service_end then usage.amount else usage.amount_to_date end as recognised_in_a_year
    from month_ends
    inner join usage
        on
            month_ends.tenant_id = usage.tenant_id
            and month_ends.subscription_id = usage.subscription_id
            and month_ends.as_of = usage.as_of

)

select
    *,
    recognised_to_date - coalesce(lag(recognised_to_date) over (partition by tenant_id, contract_id, obligation_id, item_id order by as_of), 0) as recognised
from (
    select * from by_days
    union all
    select * from by_use
) as every
