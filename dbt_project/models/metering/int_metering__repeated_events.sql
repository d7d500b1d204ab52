-- Every landed row whose key occurs more than once, judged: identity is (tenant, event id), for ever; the copy recorded first
-- is the event, a later one with the same content is a duplicate, one with other content a conflict. Copies are few, so this
-- is small whatever the history is.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook="{{ forget_touched_keys() }}",
    post_hook="{{ remember_judged_days() }}"
) }}

with

touched as (

    {% if is_incremental() %}
    {{ touched_keys() }}
    {% else %}
    select event_key
    from {{ ref('int_metering__event_keys') }}
    group by event_key
    having count(*) > 1
    {% endif %}

),

-- Where the copies lie, so that only those days are read again.
places as (

    select distinct received_on
    from {{ ref('int_metering__event_keys') }}
    where event_key in (select event_key from touched)

),

copies as (

    select *
    from {{ ref('stg_ratehouse__usage_events') }}
    where
        received_on in (select received_on from places)
        and event_key in (select event_key from touched)

),

ranked as (

    select
        *,
        row_number() over first_recorded as copy_no,
        first_value((customer_id, subscription_id, event_type, occurred_at, quantity, properties)) over first_recorded
            is not distinct from (customer_id, subscription_id, event_type, occurred_at, quantity, properties) as is_same
    from copies
    window first_recorded as (
        partition by tenant_id, event_id
        order by recorded_at, customer_id, subscription_id, event_type, occurred_at, quantity, properties
    )

)

select
    * exclude (copy_no, is_same),
    case when copy_no = 1 then 'accepted' when is_same then 'duplicate' else 'conflict' end as standing
from ranked
