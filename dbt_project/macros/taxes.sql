{# The part of a rate's tax that lies in its first lines, which come to `amount`. Reads the columns of `running`. #}
{% macro included_share(amount) -%}
    {{ round_money(prorate('tax', 'sign(taxable_amount) * ' ~ to_minor(amount, 'minor_digits'), 'sign(taxable_amount) * ' ~ to_minor('taxable_amount', 'minor_digits')), 'minor_digits', 'rounding_mode') }}
{%- endmacro %}
