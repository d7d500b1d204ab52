{# The elements of a JSON array as an array of JSON texts, to be unnested; empty when there is none. #}
{% macro json_elements(document) -%}{{ return(adapter.dispatch('json_elements', 'ratehouse')(document)) }}{%- endmacro %}
{% macro duckdb__json_elements(document) -%}
    coalesce(cast(cast({{ document }} as json) as json[]), cast([] as json[]))
{%- endmacro %}

{# The same for an array of scalars: an array of texts, null when there is none. #}
{% macro json_texts(document) -%}{{ return(adapter.dispatch('json_texts', 'ratehouse')(document)) }}{%- endmacro %}
{% macro duckdb__json_texts(document) -%}
    cast(cast({{ document }} as json) as varchar[])
{%- endmacro %}
