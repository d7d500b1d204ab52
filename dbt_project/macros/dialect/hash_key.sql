{# A 64-bit hash of some columns; never an identity by itself. #}
{% macro hash_key() -%}{{ return(adapter.dispatch('hash_key', 'ratehouse')(*varargs)) }}{%- endmacro %}
{% macro default__hash_key() -%}xxhash64({{ varargs | join(', ') }}){%- endmacro %}
{% macro duckdb__hash_key() -%}hash({{ varargs | join(', ') }}){%- endmacro %}
