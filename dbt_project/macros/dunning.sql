{# Whether a card network's limits leave no attempt on a day: what fell due and what was tried in the days up to it, the larger number. #}
{% macro is_exhausted(limits, day, due_days, attempted_days) -%}
    coalesce(list_bool_or(list_transform({{ limits }}, lambda one: greatest(
        len(list_filter({{ due_days }}, lambda earlier: earlier > {{ day }} - one.days)),
        len(list_filter({{ attempted_days }}, lambda earlier: earlier > {{ day }} - one.days))
    ) >= one.most)), false)
{%- endmacro %}

{# Whole hours from one instant to a later one. #}
{% macro hours_between(earlier, later) -%}
    cast((epoch_us({{ later }}) - epoch_us({{ earlier }})) // 3600000000 as bigint)
{%- endmacro %}

{# The last Friday of a day's month. #}
{% macro last_friday(day) -%}
    cast(last_day({{ day }}) - cast((isodow(last_day({{ day }})) + 2) % 7 as integer) as date)
{%- endmacro %}

{# What a retry at an instant is known by, whatever came before it. Twin: deliver/recovery/simulator.py. Pay days are the 1st, the 15th
   and the last Friday of a month. #}
{% macro slot_features(at, failed_at, zone) -%}
    {%- set day = local_date(at, zone) -%}
    {%- set month = "cast(date_trunc('month', " ~ day ~ ") as date)" -%}
    {%- set next_month = "cast(date_trunc('month', " ~ day ~ ") + interval 1 month as date)" -%}
    {{ hours_between(failed_at, at) }} as hours_waited,
    hour(timezone({{ zone }}, {{ at }})) as slot_hour,
    isodow({{ day }}) as slot_weekday,
    day({{ day }}) as slot_day_of_month,
    cast({{ day }} - greatest(
        {{ month }},
        case when day({{ day }}) >= 15 then {{ month }} + 14 end,
        case when {{ last_friday(day) }} <= {{ day }} then {{ last_friday(day) }} end
    ) as bigint) as days_since_payday,
    cast(least(
        case when day({{ day }}) = 1 then {{ day }} else {{ next_month }} end,
        case when day({{ day }}) <= 15 then {{ month }} + 14 end,
        case when {{ last_friday(day) }} >= {{ day }} then {{ last_friday(day) }} end
    ) - {{ day }} as bigint) as days_to_payday
{%- endmacro %}
