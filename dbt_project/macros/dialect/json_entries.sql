{# The entries of a JSON object as an array of (key, value) structs, to be unnested; value is JSON text. #}
{% macro json_entries(document, path='') -%}{{ return(adapter.dispatch('json_entries', 'ratehouse')(document, path)) }}{%- endmacro %}
{% macro duckdb__json_entries(document, path) -%}
    map_entries(cast(json_extract({{ document }}, '${{ '.' ~ path if path }}') as map(varchar, json)))
{%- endmacro %}
