{# An amount of a charge in money: what is priced in a unit of the book's own is rounded to the unit's digits and converted at
   the unit's rate. Reads the columns `pricing_unit`, `unit_digits`, `unit_rate` and `rounding_mode`. #}
{% macro in_money(amount) -%}
    case
        when pricing_unit is null then {{ amount }}
        else cast({{ round_quantity(amount, 'unit_digits', 'rounding_mode') }} * unit_rate as {{ exact_amount() }})
    end
{%- endmacro %}

{# A price of a tier, nothing where there is none, with what renewals put on it. #}
{% macro factored(price) -%}
    case when price_factor = 1 then coalesce({{ price }}, 0) else cast(coalesce({{ price }}, 0) * price_factor as decimal(28, 12)) end
{%- endmacro %}
