{# The hash of what identifies a billed slice, its group and its coupon: to set rows apart by, not to tell slices from each other. #}
{% macro slice_key() -%}
{{ hash_key('tenant_id', 'subscription_id', 'plan', 'charge', 'currency', 'dimensions', 'slice_start_at', "coalesce(discount_id, '')") }}
{%- endmacro %}

{# The identity of a group of dimensions in a slice; where nothing is grouped, the slice's own. #}
{% macro group_id(slice_id, dimensions) -%}
case when {{ dimensions }} = '' then {{ slice_id }} else md5(concat_ws('|', {{ slice_id }}, {{ dimensions }})) end
{%- endmacro %}
