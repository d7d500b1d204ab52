{# Dates and periods. Twins: ratehouse/periods.py. Every boundary is computed from the anchor, never from the previous one. #}

{# The local calendar day of an instant. #}
{% macro local_date(instant, zone) -%}
    cast(timezone({{ zone }}, {{ instant }}) as date)
{%- endmacro %}

{# The first instant of a local day. Where midnight comes twice (Havana in autumn) the engine gives the second, so the hour
   before is asked whether it was midnight too; where there is no midnight, the day begins when the clocks moved. #}
{% macro start_of_day(day, zone) -%}
    {%- set midnight = 'cast(' ~ day ~ ' as timestamp)' -%}
    {%- set last_midnight = 'timezone(' ~ zone ~ ', ' ~ midnight ~ ')' -%}
    ({{ last_midnight }} - case
        when timezone({{ zone }}, {{ last_midnight }} - interval 1 hour) = {{ midnight }} then interval 1 hour else interval 0 hour
    end)
{%- endmacro %}

{# Months in one unit of an interval; null for day and week. #}
{% macro interval_months(interval) -%}
    case {{ interval }} when 'month' then 1 when 'quarter' then 3 when 'half_year' then 6 when 'year' then 12 end
{%- endmacro %}

{# Days in one unit of an interval; null for month and longer. #}
{% macro interval_days(interval) -%}
    case {{ interval }} when 'day' then 1 when 'week' then 7 end
{%- endmacro %}

{# Boundary number k (any integer) of the cycle anchored at `anchor_on`: in months the day `anchor_day` of the k-th month,
   a short month giving its last day; in days a plain multiple. #}
{% macro period_boundary(anchor_on, anchor_day, months, days, k) -%}
    case
        when {{ months }} is not null then cast(
            date_trunc('month', {{ anchor_on }}) + to_months(cast(({{ k }}) * {{ months }} as integer))
            + to_days(cast(least({{ anchor_day }}, day(last_day(cast(date_trunc('month', {{ anchor_on }}) + to_months(cast(({{ k }}) * {{ months }} as integer)) as date)))) - 1 as integer))
            as date
        )
        else cast({{ anchor_on }} + to_days(cast(({{ k }}) * {{ days }} as integer)) as date)
    end
{%- endmacro %}
