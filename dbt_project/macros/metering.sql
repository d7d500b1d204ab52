{# True when an event's properties pass a meter's conditions: every accepted key holds one of its values, and none of the
   refused combinations holds in full. #}
{% macro meter_accepts(accepts, refuses, properties) -%}
    (
        len({{ accepts }}) = 0 or list_bool_and(list_transform(
            {{ accepts }},
            lambda condition: coalesce(list_contains(condition.value, {{ json_text_at(properties, 'condition.key') }}), false)
        ))
    )
    and (
        len({{ refuses }}) = 0 or not list_bool_or(list_transform(
            {{ refuses }},
            lambda combination: list_bool_and(list_transform(
                combination,
                lambda condition: coalesce(list_contains(condition.value, {{ json_text_at(properties, 'condition.key') }}), false)
            ))
        ))
    )
{%- endmacro %}

{# The group of an event as JSON text with sorted keys and no blanks; a missing value is null, a group of its own. #}
{% macro dimension_group(dimensions, properties) -%}
    '{' || array_to_string(list_transform(
        {{ dimensions }},
        lambda dimension: to_json(dimension) || ':' || coalesce(cast({{ json_part_at(properties, 'dimension') }} as varchar), 'null')
    ), ',') || '}'
{%- endmacro %}

{# Text that is a finite decimal number within the width of a quantity, else null. #}
{% macro numeric_text(text) -%}
    case when regexp_full_match({{ text }}, '[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?|[+-]?[0-9]+\.') then try_cast({{ text }} as decimal(28, 10)) end
{%- endmacro %}

{# The local date of an instant, from the zone's offset then: an addition and not a calendar look-up. #}
{% macro local_day(instant, offset_us) -%}
    make_date(cast((epoch_us({{ instant }}) + {{ offset_us }}) // 86400000000 as integer))
{%- endmacro %}

{# What the states need of an event and of the span that claims it. #}
{% macro claimed_columns() -%}
    events.event_id,
        events.occurred_at,
        events.quantity,
        events.properties,
        events.recorded_at,
        events.received_on,
        claims.segment_no,
        claims.aggregation,
        claims.property,
        claims.operation_property,
        claims.amount_property,
        claims.multiply_by,
        claims.round_each_mode,
        claims.round_each_digits,
        claims.dimensions,
        claims.needs_dimensions,
        claims.needs_order,
        claims.keeps_hours,
        claims.keeps_events,
        claims.offset_us
{%- endmacro %}
{% macro claims_event() -%}
    events.tenant_id = claims.tenant_id
            and events.event_type = claims.event_type
            and coalesce(events.subscription_id, events.customer_id) = claims.owner_id
            and (events.subscription_id is not null) = claims.by_subscription
            and events.occurred_at >= claims.starts_at
            and events.occurred_at < claims.ends_at
            and events.recorded_at <= claims.known_as_of
            {%- if is_incremental() %}
            and (events.is_stale or claims.is_stale)
            {%- endif %}
{%- endmacro %}
