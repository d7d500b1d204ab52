{# What the fold over a subscription's events needs. The fold itself is int_subscriptions__folds. #}

{# The boundaries of a cycle around a day: the last one on or before it, and the first one after it. #}
{% macro boundaries_around(day, anchor_on, anchor_day, months, days) -%}
    {%- set k = 'case when ' ~ months ~ ' is not null then datediff(\'month\', ' ~ anchor_on ~ ', ' ~ day ~ ') // ' ~ months ~ ' else datediff(\'day\', ' ~ anchor_on ~ ', ' ~ day ~ ') // ' ~ days ~ ' end' -%}
    list_transform([-1, 0, 1, 2], lambda n: {{ period_boundary(anchor_on, anchor_day, months, days, '(' ~ k ~ ') + n') }})
{%- endmacro %}
{% macro boundary_after(day, anchor_on, anchor_day, months, days) -%}
    list_min(list_filter({{ boundaries_around(day, anchor_on, anchor_day, months, days) }}, lambda boundary: boundary > {{ day }}))
{%- endmacro %}
{% macro boundary_before(day, anchor_on, anchor_day, months, days) -%}
    list_max(list_filter({{ boundaries_around(day, anchor_on, anchor_day, months, days) }}, lambda boundary: boundary <= {{ day }}))
{%- endmacro %}

{# Where a cycle that starts on a day is anchored: calendar weeks from Monday, months from January. #}
{% macro anchor_of(day, is_calendar, months, days) -%}
    case
        when not {{ is_calendar }} then {{ day }}
        when {{ months }} is not null
            then cast(date_trunc('year', {{ day }}) + to_months(cast(((month({{ day }}) - 1) // least({{ months }}, 12)) * least({{ months }}, 12) as integer)) as date)
        when {{ days }} % 7 = 0 then cast(date_trunc('week', {{ day }}) as date)
        else {{ day }}
    end
{%- endmacro %}

{# (1 + percent ÷ 100) to the power of a whole number, each step rounded to twelve decimals as a price is. #}
{% macro compounded(percent, times) -%}
    list_reduce(
        list_transform(range({{ times }}), lambda step: cast(1 + {{ percent }} * cast(0.01 as decimal(3, 2)) as decimal(28, 12))),
        lambda so_far, step: cast(so_far * step as decimal(28, 12)),
        cast(1 as decimal(28, 12))
    )
{%- endmacro %}

{# Whether stated quantities are no object of numbers of at least zero. #}
{% macro is_bad_quantities(quantities) -%}
    {{ quantities }} is not null
    and coalesce(len(list_filter(
        map_entries(try_cast({{ quantities }} as map(varchar, varchar))),
        lambda entry: coalesce(try_cast(entry.value as decimal(28, 10)) < 0, true)
    )) > 0, true)
{%- endmacro %}

{# One entry of the fold's log: what an event came to. #}
{% macro fold_entry(no, verdict, effective_on='null', cycle_from='null', voids_earlier='false', anchor_on='null', anchor_day='null', months='null', days='null', trial_end='null', term_ends_on='null') -%}
    {'no': {{ no }}, 'verdict': {{ verdict }}, 'effective_on': cast({{ effective_on }} as date), 'cycle_from': cast({{ cycle_from }} as date), 'voids_earlier': {{ voids_earlier }}, 'anchor_on': cast({{ anchor_on }} as date), 'anchor_day': cast({{ anchor_day }} as integer), 'months': cast({{ months }} as integer), 'days': cast({{ days }} as integer), 'trial_end': cast({{ trial_end }} as date), 'term_ends_on': cast({{ term_ends_on }} as date)}
{%- endmacro %}

{# The state of the fold, field by field: those given anew, those that time has changed, the others as they were. #}
{% macro fold_fields() -%}
    {{ return({
        'status': 'varchar', 'told_at': 'timestamp with time zone', 'started_on': 'date', 'trial_end': 'date', 'given_anchor_day': 'integer',
        'is_calendar': 'boolean', 'months': 'integer', 'days': 'integer', 'anchor_on': 'date', 'anchor_day': 'integer', 'cycle_from': 'date',
        'ends_on': 'date', 'ends_no': 'bigint', 'change_no': 'bigint', 'change_on': 'date',
        'term_months': 'integer', 'term_ends_on': 'date', 'notice_days': 'integer', 'locks_downgrades': 'boolean',
        'next_anchor_on': 'date', 'next_anchor_day': 'integer', 'next_months': 'integer', 'next_days': 'integer'
    }) }}
{%- endmacro %}
{% macro fold_state(before, now, anew={}) -%}
    {%- set changed_by_time = ('status', 'anchor_on', 'anchor_day', 'months', 'days', 'change_no', 'change_on') -%}
    {%- for name, kind in fold_fields().items() -%}
    '{{ name }}': cast({{ anew.get(name, (now if name in changed_by_time else before) ~ '.' ~ name) }} as {{ kind }}){{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
{% macro fold_start() -%}
    cast({'status': 'none', {% for name in fold_fields() if name != 'status' %}'{{ name }}': null, {% endfor %}'log': []} as struct(
        {% for name, kind in fold_fields().items() %}{{ name }} {{ kind }}, {% endfor %}
        log struct(no bigint, verdict varchar, effective_on date, cycle_from date, voids_earlier boolean, anchor_on date, anchor_day integer, months integer, days integer, trial_end date, term_ends_on date)[]
    ))
{%- endmacro %}
