-- The events behind a usage slice, each with the value that its meter reads from it. One row per slice and event.
-- A view: always asked for one slice, and for the instants of that slice.
{{ config(materialized='view') }}
with

events as (

    select * from {{ ref('usage_events') }}

),

spans as (

    select * from {{ ref('metered_spans') }}

),

claimed as (

    select
        spans.*,
        events.event_id,
        events.occurred_at,
        events.recorded_at,
        events.quantity,
        events.properties,
        false as may_be_anothers
    from spans
    inner join events
        on
            spans.tenant_id = events.tenant_id
            and spans.subscription_id = events.subscription_id
            and spans.event_type = events.event_type
            and spans.counts_from <= events.occurred_at
            and spans.counts_until > events.occurred_at
    where {{ meter_accepts('spans.accepts', 'spans.refuses', 'events.properties') }}
    union all
    select
        spans.*,
        events.event_id,
        events.occurred_at,
        events.recorded_at,
        events.quantity,
        events.properties,
        spans.is_contended as may_be_anothers
    from spans
    inner join events
        on
            spans.tenant_id = events.tenant_id
            and spans.customer_id = events.customer_id
            and spans.event_type = events.event_type
            and spans.counts_from <= events.occurred_at
            and spans.counts_until > events.occurred_at
    where
        events.subscription_id is null
        and {{ meter_accepts('spans.accepts', 'spans.refuses', 'events.properties') }}

),

-- An event that names only a customer goes to the oldest subscription that meters it.
owned as (

    select claimed.*
    from claimed
    left join spans as elders
        on
            claimed.tenant_id = elders.tenant_id
            and claimed.customer_id = elders.customer_id
            and claimed.event_type = elders.event_type
            and claimed.seniority > elders.seniority
            and claimed.occurred_at >= elders.starts_at
            and claimed.occurred_at < elders.ends_at
            and claimed.may_be_anothers
            and {{ meter_accepts('elders.accepts', 'elders.refuses', 'claimed.properties') }}
    where elders.tenant_id is null

),

read as (

    select
        *,
        case
            when aggregation in ('count', 'unique_count') then cast(1 as decimal(28, 10))
            when property = '$quantity' then quantity
            else {{ numeric_text(json_text_at('properties', 'property')) }}
        end as raw_value
    from owned

)

select
    tenant_id,
    slice_id,
    customer_id,
    subscription_id,
    meter,
    aggregation,
    case when splits then {{ dimension_group('dimensions', 'properties') }} else '' end as dimensions,
    event_id,
    event_type,
    occurred_at,
    make_date(cast((epoch_us(occurred_at) + offset_us) // 86400000000 as integer)) as local_day,
    recorded_at,
    quantity,
    case
        when round_each_mode is not null
            then {{ round_quantity('try(cast(raw_value * multiply_by as decimal(38, 10)))', 'round_each_digits', 'round_each_mode') }}
        else try(cast(raw_value * multiply_by as decimal(28, 10)))
    end as value,
    properties
from read
