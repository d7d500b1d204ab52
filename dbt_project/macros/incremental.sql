{# Hooks of the models that read events. They keep a night's cost at what the night brought: rows of days or customers that
   changed are dropped here and made again by the model, in one transaction. #}

{# Keys of days on which events have landed since. #}
{% macro forget_changed_days() -%}
    {% if is_incremental() %}
    delete from {{ this }} where received_on in (
        select landed.received_on
        from (select received_on, count(*) as events from {{ ref('stg_ratehouse__usage_events') }} group by received_on) as landed
        inner join (select received_on, count(*) as events from {{ this }} group by received_on) as kept
            on landed.received_on = kept.received_on
        where landed.events <> kept.events
    )
    {% else %}select 1{% endif %}
{%- endmacro %}

{# Verdicts on keys of which another copy has landed since. #}
{% macro forget_touched_keys() -%}
    {% if is_incremental() %}
    delete from {{ this }} where event_key in ({{ touched_keys() }})
    {% else %}select 1{% endif %}
{%- endmacro %}

{# Keys with several rows, one of which no verdict has seen yet. #}
{% macro touched_keys() -%}
    select event_keys.event_key
    from {{ ref('int_metering__event_keys') }} as event_keys
    where event_keys.event_key in (
        select fresh.event_key
        from {{ ref('int_metering__event_keys') }} as fresh
        where fresh.received_on not in (select received_on from ({{ judged_days() }}) as judged)
    )
    group by event_keys.event_key
    having count(*) > 1
{%- endmacro %}

{# The days whose every event has been judged: as many as there are keys. #}
{% macro judged_days() -%}
    select judged.received_on
    from {{ this.schema }}.int_metering__judged_days as judged
    inner join (select received_on, count(*) as events from {{ ref('int_metering__event_keys') }} group by received_on) as keys
        on judged.received_on = keys.received_on and judged.events = keys.events
{%- endmacro %}
{% macro remember_judged_days() -%}
    create or replace table {{ this.schema }}.int_metering__judged_days as
    select received_on, count(*) as events from {{ ref('int_metering__event_keys') }} group by received_on
{%- endmacro %}

{# States of received days and of customers that are not what they were when the states were made. #}
{% macro forget_stale_states() -%}
    {% if is_incremental() %}
    delete from {{ this }} where
        (tenant_id, received_on) not in (select (tenant_id, received_on) from ({{ fresh_days() }}) as fresh)
        {% if this.identifier == 'int_metering__states' %}
        or (tenant_id, customer_id) not in (select (tenant_id, customer_id) from ({{ fresh_customers() }}) as fresh)
        {% endif %}
    {% else %}select 1{% endif %}
{%- endmacro %}
{% macro fresh_days() -%}
    select days.tenant_id, days.received_on
    from {{ ref('int_metering__day_marks') }} as days
    {{ made_with('int_metering__made_days', 'days', 'received_on') }}
{%- endmacro %}
{% macro fresh_customers() -%}
    select customers.tenant_id, customers.customer_id
    from {{ ref('int_metering__customer_marks') }} as customers
    {{ made_with('int_metering__made_customers', 'customers', 'customer_id') }}
{%- endmacro %}

{# Keeps the marks under which the states were made. A first build killed in its middle has states and no marks of
   them: then nothing is fresh. The marks are made after the states, so no `ref` may lead from the states to them. #}
{% macro made_with(marks, current, key) -%}
    {%- if load_relation(api.Relation.create(database=this.database, schema=this.schema, identifier=marks)) is not none -%}
    inner join {{ this.schema }}.{{ marks }} as made
        on {{ current }}.tenant_id = made.tenant_id and {{ current }}.{{ key }} = made.{{ key }} and {{ current }}.mark = made.mark
    {%- else -%}
    where false
    {%- endif -%}
{%- endmacro %}
