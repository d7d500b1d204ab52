{# A table that a build changes only where a contract did: `by_subscription` (macros/by_subscription.sql) for contracts and the subscriptions that are
   one. `int_revenue__changed_contracts` lists those whose marks are not those under which the tables were made, and those to which a month that is
   over since, or closed since, may bring something. Of all the others nothing moves.

   config(materialized='by_contract', carried={'period': 'new_months.period', 'billed': 0}): a table with a row per contract and month. Of a
   contract that did not change, a new month is its last one with these columns. #}
{% materialization by_contract, adapter='duckdb', supported_languages=['sql'] %}
    {%- set changed = load_relation(ref_of('int_revenue__changed_contracts')) -%}
    {%- set marks = load_relation(ref_of('int_revenue__contract_marks')) -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is none or existing.type != 'table' or should_full_refresh() -%}
        {{ return(create_or_replace('table')) }}
    {%- endif -%}
    {%- set counts = run_query('select (select count(*) from ' ~ changed ~ '), (select count(*) from ' ~ marks ~ ')').rows[0] -%}
    {#- Narrowing every input costs more than it saves where most contracts are made again. -#}
    {%- if counts[0] * 4 > counts[1] * 3 -%}
        {{ return(create_or_replace('table')) }}
    {%- endif -%}
    {%- set columns = adapter.get_columns_in_relation(existing) | map(attribute='name') | list -%}
    {%- set key = 'contract_id' if 'contract_id' in columns else 'subscription_id' -%}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement('main') -%}
        delete from {{ this }} as made using {{ changed }} as changed
        where made.tenant_id = changed.tenant_id and made.{{ key }} = changed.contract_id;
        {%- if config.get('carried') %}
        -- A build that was killed before it noted what it had made did this once already.
        delete from {{ this }} as made using {{ ref_of('int_revenue__new_months') }} as new_months
        where made.tenant_id = new_months.tenant_id and made.period = new_months.period;
        insert into {{ this }} by name
        select made.* replace (
            {%- for column, value in config.get('carried').items() %}{{ value }} as {{ column }}{{ ', ' if not loop.last }}{% endfor -%}
        )
        from {{ this }} as made
        inner join {{ ref_of('int_revenue__new_months') }} as new_months
            on made.tenant_id = new_months.tenant_id and made.period = new_months.last_period
        semi join {{ marks }} as marks on made.tenant_id = marks.tenant_id and made.contract_id = marks.contract_id;
        {%- endif %}
        {%- if counts[0] > 0 %}
        insert into {{ this }} by name (
        {{ narrowed(compiled_code, changed, ['contract_id', 'subscription_id'], 'contract_id') }}
        );
        {%- endif %}
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}

{# Something where an earlier build noted what it made of contracts, else nothing. #}
{% macro contracts_were_made() -%}
    {%- if execute and load_relation(ref_of('int_revenue__made_contracts')) is not none -%}yes{%- endif -%}
{%- endmacro %}
