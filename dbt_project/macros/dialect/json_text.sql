{# The text of a scalar inside JSON text, or of one that is the whole text; null when missing or JSON null. Path without the
   leading `$.`. #}
{% macro json_text(document, path='') -%}{{ return(adapter.dispatch('json_text', 'ratehouse')(document, path)) }}{%- endmacro %}
{% macro default__json_text(document, path) -%}get_json_object({{ document }}, '${{ '.' ~ path if path }}'){%- endmacro %}
{% macro duckdb__json_text(document, path) -%}json_extract_string({{ document }}, '${{ '.' ~ path if path }}'){%- endmacro %}

{# The same with a path held in a column, dots separating keys. #}
{% macro json_text_at(document, path) -%}{{ return(adapter.dispatch('json_text_at', 'ratehouse')(document, path)) }}{%- endmacro %}
{% macro default__json_text_at(document, path) -%}get_json_object({{ document }}, concat('$.', {{ path }})){%- endmacro %}
{% macro duckdb__json_text_at(document, path) -%}json_extract_string({{ document }}, '$."' || replace({{ path }}, '.', '"."') || '"'){%- endmacro %}

{# A fragment of JSON text by a constant path. #}
{% macro json_part(document, path) -%}{{ return(adapter.dispatch('json_part', 'ratehouse')(document, path)) }}{%- endmacro %}
{% macro default__json_part(document, path) -%}get_json_object({{ document }}, '$.{{ path }}'){%- endmacro %}
{% macro duckdb__json_part(document, path) -%}nullif(json_extract({{ document }}, '$.{{ path }}'), cast('null' as json)){%- endmacro %}

{# A fragment of JSON text by a path held in a column. #}
{% macro json_part_at(document, path) -%}{{ return(adapter.dispatch('json_part_at', 'ratehouse')(document, path)) }}{%- endmacro %}
{% macro duckdb__json_part_at(document, path) -%}json_extract({{ document }}, '$."' || replace({{ path }}, '.', '"."') || '"'){%- endmacro %}

{# What JSON text says of several fields, read once: a struct of texts ('varchar') and fragments ('json'), nested where `fields` is.
   A field that is missing, JSON null or of another shape is null, and so is all that would lie inside it. #}
{% macro json_fields(document, fields) -%}{{ return(adapter.dispatch('json_fields', 'ratehouse')(document, fields)) }}{%- endmacro %}
{% macro duckdb__json_fields(document, fields) -%}from_json({{ document }}, '{{ tojson(fields) }}'){%- endmacro %}
