-- A subscription that is its own contract: each issued line is recognised over its own days of service, a one-time charge on
-- the day of its service, so a credit line takes back what it credits in the months it credits.
with

month_ends as (

    select * from {{ ref('int_revenue__month_ends') }}
    where subscription_id is not null

),

lines as (

    select * from {{ ref('int_revenue__invoice_lines') }}

),

to_date as (

    select
        month_ends.tenant_id,
        month_ends.contract_id,
        lines.charge as obligation_id,
        lines.line_id,
        case when lines.line_type = 'usage' then 'usage' else lines.recognise end as recognise,
        month_ends.period,
        month_ends.as_of,
        month_ends.minor_digits,
        {{ to_minor('lines.amount', 'month_ends.minor_digits') }} as allocated,
        {{ divide_half_up(
            '(' ~ to_minor('lines.amount', 'month_ends.minor_digits') ~ ' * case when lines.recognise = \'point_in_time\' then 1 else ' ~ served('lines.service_start', 'lines.service_end', 'month_ends.as_of + 1', 'lines.recognise') ~ ' end)',
            'case when lines.recognise = \'point_in_time\' then 1 else ' ~ served('lines.service_start', 'lines.service_end', 'lines.service_end', 'lines.recognise') ~ ' end'
        ) }} as recognised_to_date
    from month_ends
    inner join lines
        on
            month_ends.tenant_id = lines.tenant_id
            and month_ends.subscription_id = lines.subscription_id
            and month_ends.as_of >= lines.service_start

)

select
    *,
    recognised_to_date - coalesce(lag(recognised_to_date) over (partition by tenant_id, contract_id, obligation_id, line_id order by as_of), 0) as recognised
from to_date
