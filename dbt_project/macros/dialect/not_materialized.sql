{# After `as` of a CTE that is read several times and too large to be kept: DuckDB would write it down once. #}
{% macro not_materialized() -%}{{ return(adapter.dispatch('not_materialized', 'ratehouse')()) }}{%- endmacro %}
{% macro default__not_materialized() -%}{%- endmacro %}
{% macro duckdb__not_materialized() -%}not materialized {% endmacro %}
