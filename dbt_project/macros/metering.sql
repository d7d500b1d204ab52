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

{# What the states need of an event and of the span it falls into. #}
{% macro attributed_columns() -%}
    events.tenant_id,
        events.event_id,
        events.event_type,
        events.occurred_at,
        events.quantity,
        events.properties,
        events.recorded_at,
        events.received_on,
        spans.customer_id,
        spans.subscription_id,
        spans.terms_no,
        spans.price_book,
        spans.meter,
        spans.meter_no,
        spans.amount_property,
        spans.aggregation,
        spans.property,
        spans.operation_property,
        spans.multiply_by,
        spans.round_each_mode,
        spans.round_each_digits,
        spans.dimensions,
        spans.needs_dimensions,
        spans.keeps_hours,
        spans.keeps_events,
        spans.offset_us,
        spans.seniority,
        spans.is_contended
{%- endmacro %}
