{# An amount of a charge in money: what is priced in a unit of the book's own is rounded to the unit's digits and converted at
   the unit's rate. Reads the relations `slices`, `books` and `tenants`. #}
{% macro in_money(amount) -%}
    case
        when slices.pricing_unit is null then {{ amount }}
        else cast(
            {{ round_quantity(amount, "cast(json_extract_string(books.document, '$.units.\"' || slices.pricing_unit || '\".digits') as integer)", 'tenants.rounding_mode') }}
            * cast(json_extract_string(books.document, '$.units."' || slices.pricing_unit || '"."' || slices.currency || '"') as decimal(28, 12))
            as {{ exact_amount() }}
        )
    end
{%- endmacro %}
