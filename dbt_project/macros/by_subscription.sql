{# A table that a build changes only where a subscription did. The model's SQL says what holds for every subscription and knows
   nothing of this; a row of a subscription must follow from rows of the same subscription alone, and from relations without one.

   config(materialized='by_subscription', changes='lives'): `int_subscriptions__changed_lives` lists the subscriptions whose marks are
   not those under which the tables were made. Their rows are deleted and made again, from inputs narrowed to them, in one transaction;
   where many changed the whole table is. A killed build leaves the marks as they were, so the next one does the same again. #}
{% materialization by_subscription, adapter='duckdb', supported_languages=['sql'] %}
    {%- set changes = config.require('changes') -%}
    {%- set marks = load_relation(ref_of('int_subscriptions__' ~ changes ~ '_marks')) -%}
    {%- set changed = load_relation(ref_of('int_subscriptions__changed_' ~ changes)) -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is none or existing.type != 'table' or should_full_refresh() -%}
        {{ return(create_or_replace('table')) }}
    {%- endif -%}
    {%- set counts = run_query('select (select count(*) from ' ~ changed ~ '), (select count(*) from ' ~ marks ~ ')').rows[0] -%}
    {#- Narrowing every input costs more than it saves where a quarter of the subscriptions are made again. -#}
    {%- if counts[0] * 4 > counts[1] -%}
        {{ return(create_or_replace('table')) }}
    {%- endif -%}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement('main') -%}
        {%- if counts[0] == 0 -%}
            select 1
        {%- else -%}
            delete from {{ this }} where (tenant_id, subscription_id) in (select (tenant_id, subscription_id) from {{ changed }});
            insert into {{ this }} by name (
            {{ narrowed(compiled_code, changed, ['subscription_id'], 'subscription_id') }}
            )
        {%- endif -%}
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}

{# The compiled SQL on the changed rows of every input that has one of the key columns, the first of them that it has. #}
{% macro narrowed(sql, changed, keys, changed_key) -%}
    {%- set made = namespace(sql=sql) -%}
    {%- for id in model.depends_on.nodes if id.startswith('model.') and graph.nodes[id].tags | select('equalto', 'marks') | list | length == 0 -%}
        {%- set relation = ref_of(graph.nodes[id].name) -%}
        {%- set columns = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
        {%- set key = keys | select('in', columns) | first -%}
        {%- if 'tenant_id' in columns and key -%}
            {%- set its_rows = '(from ' ~ relation ~ ' as its semi join ' ~ changed ~ ' as changed on its.tenant_id = changed.tenant_id and its.' ~ key ~ ' = changed.' ~ changed_key ~ ')' -%}
            {%- set made.sql = made.sql | replace(relation | string, its_rows) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(made.sql) }}
{%- endmacro %}

{# The relation of a model by its name, where a `ref` would be a cycle or is made elsewhere. #}
{% macro ref_of(name) -%}
    {%- set node = graph.nodes['model.ratehouse.' ~ name] -%}
    {{ return(api.Relation.create(database=node.database, schema=node.schema, identifier=name)) }}
{%- endmacro %}

{# A hash of the project's own SQL: what was made under other rules is made again. #}
{% macro rules_mark() -%}'{{ env_var('RATEHOUSE_RULES', '') }}'{%- endmacro %}

{# The subscriptions whose mark is not the one that the tables were made under, and those that are gone. #}
{% macro changed_since_made(changes) -%}
    {%- set marks = ref('int_subscriptions__' ~ changes ~ '_marks') -%}
    {%- if execute and load_relation(ref_of('int_subscriptions__made_' ~ changes)) is not none -%}
    select
        coalesce(marks.tenant_id, made.tenant_id) as tenant_id,
        coalesce(marks.subscription_id, made.subscription_id) as subscription_id
    from {{ marks }} as marks
    full outer join {{ ref_of('int_subscriptions__made_' ~ changes) }} as made
        on marks.tenant_id = made.tenant_id and marks.subscription_id = made.subscription_id
    where marks.mark is distinct from made.mark
    {%- else -%}
    select
        tenant_id,
        subscription_id
    from {{ marks }}
    {%- endif -%}
{%- endmacro %}
