-- How many events landed, by the day they were received and their type, of those known by known_as_of.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook="{{ forget_stale_states() }}"
) }}

with

{% if is_incremental() %}
stale_days as (

    select
        tenant_id,
        received_on
    from {{ ref('int_metering__day_marks') }}
    except
    {{ fresh_days() }}

),
{% endif %}

known_events as (

    select events.*
    from {{ ref('stg_ratehouse__usage_events') }} as events
    inner join {{ ref('stg_ratehouse__tenant_clocks') }} as clocks on events.tenant_id = clocks.tenant_id
    where
        events.recorded_at <= clocks.known_as_of
        {% if is_incremental() %}
        and events.received_on in (select received_on from stale_days)
        and (events.tenant_id, events.received_on) in (select (tenant_id, received_on) from stale_days)
        {% endif %}

)

select
    tenant_id,
    received_on,
    event_type,
    count(*) as landed,
    max(occurred_at) as last_event_at
from known_events
group by tenant_id, received_on, event_type
{% if not is_incremental() %}
-- depends_on: {{ ref('int_metering__day_marks') }}
{% endif %}
