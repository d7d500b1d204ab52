{# Schemas are named as in the DESIGN (staging, intermediate, marts), never prefixed by the target's own schema. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}
