{# Amounts taken in the order of `attempts`, each as large as all of its limits still allow: credits from grants, notes to invoices.
   `limits` names lists of decimal(20, 4); an attempt names the position it takes from in each. Gives the list of what was taken. #}
{% macro take_in_order(attempts, limits) -%}
    list_reduce(
        {{ attempts }},
        lambda now, attempt: list_transform(
            [least({% for limit in limits %}now.{{ limit }}[attempt.{{ limit }}]{{ ', ' if not loop.last }}{% endfor %})],
            lambda taken: {
                {% for limit in limits -%}
                '{{ limit }}': list_transform(
                    now.{{ limit }}, lambda rest, place: case when place = attempt.{{ limit }} then cast(rest - taken as decimal(20, 4)) else rest end
                ),
                {% endfor -%}
                'log': list_append(now.log, taken)
            }
        )[1],
        { {%- for limit in limits %}'{{ limit }}': {{ limit }}, {% endfor %}'log': cast([] as decimal(20, 4) [])}
    ).log
{%- endmacro %}
