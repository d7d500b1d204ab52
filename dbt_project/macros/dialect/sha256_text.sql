{# The SHA-256 of a text, in hexadecimal digits: an identity that others may store. #}
{% macro sha256_text(text) -%}{{ return(adapter.dispatch('sha256_text', 'ratehouse')(text)) }}{%- endmacro %}
{% macro default__sha256_text(text) -%}sha2({{ text }}, 256){%- endmacro %}
{% macro duckdb__sha256_text(text) -%}sha256({{ text }}){%- endmacro %}
