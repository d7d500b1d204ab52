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

{# Whether a word of a text begins with a prefix in capitals. #}
{% macro names_prefix(text, prefix) -%}
    contains(' ' || regexp_replace(upper({{ text }}), '[\\s,;:()]+', ' ', 'g'), ' ' || {{ prefix }})
{%- endmacro %}

{# The word for the rule by which a payment found its documents (int_payments__references). #}
{% macro matching_rule(rule_no) -%}
    case {{ rule_no }} when 1 then 'invoice_id' when 2 then 'invoice_number' when 3 then 'reference' when 4 then 'reference_text' when 5 then 'oldest_due' end
{%- endmacro %}
