{# A table and a view in one statement each. The adapter's own make another relation, rename the old one away, the new one to its
   place and drop the old: eight statements a model for engines that cannot replace. DuckDB replaces within the transaction. #}

{% materialization table, adapter='duckdb', supported_languages=['sql'] %}
    {{ return(create_or_replace('table')) }}
{% endmaterialization %}

{% materialization view, adapter='duckdb', supported_languages=['sql'] %}
    {{ return(create_or_replace('view')) }}
{% endmaterialization %}

{% macro create_or_replace(kind) -%}
    {%- set relation = this.incorporate(type=kind) -%}
    {%- do drop_other_kind(relation) -%}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement('main') -%}
        create or replace {{ kind }} {{ relation }} as (
        {{ compiled_code }}
        )
    {%- endcall %}
    {%- if config.get('contract').enforced -%}{%- do keep_contract(relation) -%}{%- endif -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ return({'relations': [relation]}) }}
{%- endmacro %}

{# A model that became a table stands where its view stood. #}
{% macro drop_other_kind(relation) -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is not none and existing.type != relation.type -%}{%- do adapter.drop_relation(existing) -%}{%- endif -%}
{%- endmacro %}

{# The contract in the model's YAML against what was made: names and types. The adapter would plan the query a second time. #}
{% macro keep_contract(relation) -%}
    {%- set wanted -%}
        select {% for column in model.columns.values() %}cast(null as {{ column.data_type }}) as {{ adapter.quote(column.name) }}{{ ', ' if not loop.last }}{% endfor %}
    {%- endset -%}
    {%- set differing -%}
        select coalesce(made.column_name, wanted.column_name), made.column_type, wanted.column_type
        from (describe {{ relation }}) as made
        full join (describe {{ wanted }}) as wanted on made.column_name = wanted.column_name
        where made.column_type is distinct from wanted.column_type
    {%- endset -%}
    {%- set messages = [] -%}
    {%- for name, made, required in run_query(differing).rows -%}
        {%- do messages.append(name ~ ' is ' ~ (made or 'missing') ~ ', the contract says ' ~ (required or 'nothing of it')) -%}
    {%- endfor -%}
    {%- if messages -%}
        {%- do exceptions.raise_compiler_error(relation ~ ' breaks its contract: ' ~ messages | join('; ')) -%}
    {%- endif -%}
{%- endmacro %}
