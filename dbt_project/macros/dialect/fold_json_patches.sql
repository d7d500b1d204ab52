{# The running merge of JSON objects over a named window: later keys replace earlier ones. #}
{% macro fold_json_patches(patch, window) -%}{{ return(adapter.dispatch('fold_json_patches', 'ratehouse')(patch, window)) }}{%- endmacro %}
{% macro duckdb__fold_json_patches(patch, window) -%}
    list_reduce(list(coalesce({{ patch }}, cast('{}' as json))) over {{ window }}, lambda merged, patch: json_merge_patch(merged, patch))
{%- endmacro %}
