-- The key of every landed event by the day it was received: eight bytes an event, against which one more day is compared.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook="{{ forget_changed_days() }}"
) }}

select
    event_key,
    received_on
from {{ ref('stg_ratehouse__usage_events') }}
{% if is_incremental() %}
where received_on not in (select received_on from {{ this }})
{% endif %}
