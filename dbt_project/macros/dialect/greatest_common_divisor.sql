{# The greatest common divisor of two integers. #}
{% macro greatest_common_divisor(one, other) -%}{{ return(adapter.dispatch('greatest_common_divisor', 'ratehouse')(one, other)) }}{%- endmacro %}
{% macro duckdb__greatest_common_divisor(one, other) -%}gcd({{ one }}, {{ other }}){%- endmacro %}
