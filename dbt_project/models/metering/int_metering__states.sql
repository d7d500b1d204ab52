-- Usage as mergeable states: one row per subscription, terms, meter, group of dimensions and local day (or hour, where a
-- window needs it); per event where the order of events decides the price; per member where members are counted.
-- A period is the merge of its days. This is the only model that reads events. An incremental build reads the received
-- days that changed, and all days of the customers whose subscriptions, prices or zones did.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook="{{ forget_stale_states() }}"
) }}

with

known_events as (

    select events.*
    from {{ ref('int_metering__accepted_events') }} as events
    inner join {{ ref('stg_ratehouse__tenant_clocks') }} as clocks on events.tenant_id = clocks.tenant_id
    where events.recorded_at <= clocks.known_as_of

),

{% if is_incremental() %}
stale_days as (

    select
        tenant_id,
        received_on
    from {{ ref('int_metering__day_marks') }}
    except
    {{ fresh_days() }}

),

stale_customers as (

    select
        tenant_id,
        customer_id
    from {{ ref('int_metering__customer_marks') }}
    except
    {{ fresh_customers() }}

),

stale_subscriptions as (

    select distinct
        spans.tenant_id,
        spans.subscription_id
    from {{ ref('int_metering__spans') }} as spans
    inner join stale_customers
        on
            spans.tenant_id = stale_customers.tenant_id
            and spans.customer_id = stale_customers.customer_id

),

events as (

    select events.*
    from known_events as events
    where
        events.received_on in (select received_on from stale_days)
        and (events.tenant_id, events.received_on) in (select (tenant_id, received_on) from stale_days)
    union all
    select events.*
    from known_events as events
    where
        events.subscription_id is null
        and (events.tenant_id, events.customer_id) in (select (tenant_id, customer_id) from stale_customers)
        and (events.tenant_id, events.received_on) not in (select (tenant_id, received_on) from stale_days)
    union all
    select events.*
    from known_events as events
    where
        (events.tenant_id, events.subscription_id) in (select (tenant_id, subscription_id) from stale_subscriptions)
        and (events.tenant_id, events.received_on) not in (select (tenant_id, received_on) from stale_days)

),
{% else %}
events as (

    select * from known_events

),
{% endif %}

spans as (

    select * from {{ ref('int_metering__spans') }}

),

-- Who an event belongs to is settled by its span, except where several subscriptions or conditions compete for it.
candidates as (

    select
        {{ attributed_columns() }},
        spans.meter_no = 1 as is_first_meter
    from events
    inner join spans
        on
            events.tenant_id = spans.tenant_id
            and events.subscription_id = spans.subscription_id
            and events.event_type = spans.event_type
            and events.occurred_at >= spans.starts_at
            and events.occurred_at < spans.ends_at
    where {{ meter_accepts('spans.accepts', 'spans.refuses', 'events.properties') }}
    union all
    select
        {{ attributed_columns() }},
        spans.meter_no = 1 as is_first_meter
    from events
    inner join spans
        on
            events.tenant_id = spans.tenant_id
            and events.customer_id = spans.customer_id
            and events.event_type = spans.event_type
            and events.occurred_at >= spans.starts_at
            and events.occurred_at < spans.ends_at
    where
        events.subscription_id is null
        and {{ meter_accepts('spans.accepts', 'spans.refuses', 'events.properties') }}

),

attributed as (

    select *
    from candidates
    where not is_contended
    union all
    (
        select * replace (
            row_number() over (partition by tenant_id, event_id order by seniority, meter_no) = 1 as is_first_meter
        )
        from candidates
        where is_contended
        qualify seniority = min(seniority) over (partition by tenant_id, event_id)
    )

),

read as (

    select
        *,
        make_date(cast((epoch_us(occurred_at) + offset_us) // 86400000000 as integer)) as local_day,
        case
            when keeps_hours
                then make_timestamptz(((epoch_us(occurred_at) + offset_us) // 3600000000) * 3600000000 - offset_us)
        end as hour_at,
        case
            when property = '$quantity' then cast(quantity as varchar)
            when property is not null then {{ json_text_at('properties', 'property') }}
        end as value_text,
        case when needs_dimensions then {{ dimension_group('dimensions', 'properties') }} else '' end as dimension_values,
        case when amount_property <> '' then {{ numeric_text(json_text_at('properties', 'amount_property')) }} end as amount,
        case
            when operation_property is not null then coalesce({{ json_text_at('properties', 'operation_property') }}, 'add')
        end as operation
    from attributed

),

valued as (

    select
        * exclude (dimensions),
        case
            when aggregation in ('count', 'unique_count') then cast(1 as decimal(28, 10))
            when property = '$quantity' then quantity
            else {{ numeric_text('value_text') }}
        end as raw_value
    from read

),

scaled as (

    select
        *,
        case
            when round_each_mode is not null and multiply_by <> 1
                then {{ round_quantity('try(cast(raw_value * multiply_by as decimal(38, 10)))', 'round_each_digits', 'round_each_mode') }}
            when round_each_mode is not null
                then {{ round_quantity('raw_value', 'round_each_digits', 'round_each_mode') }}
            when multiply_by <> 1 then try(cast(raw_value * multiply_by as decimal(28, 10)))
            else raw_value
        end as value,
        case
            when aggregation = 'time_weighted'
                then try(cast(raw_value * multiply_by as decimal(28, 10)) * (epoch_us(occurred_at) - epoch_us(cast(local_day as timestamp))))
        end as moment,
        case
            when keeps_events then event_id
            when aggregation = 'unique_count' then value_text
            else ''
        end as item
    from valued

)

select
    tenant_id,
    customer_id,
    subscription_id,
    terms_no,
    price_book,
    meter,
    amount_property,
    dimension_values,
    local_day,
    hour_at,
    item,
    event_type,
    received_on,
    any_value(aggregation) as aggregation,
    count(*) as event_count,
    -- An event that feeds several meters is one event.
    count(*) filter (where is_first_meter) as rated_events,
    sum(quantity) filter (where is_first_meter) as rated_quantity,
    count(*) filter (where value is null or (aggregation = 'unique_count' and value_text is null)) as skipped_values,
    count(value) as value_count,
    sum(value) as value_sum,
    max(value) as value_max,
    min(value) as value_min,
    sum(amount) as amount_sum,
    -- Σ value · microseconds since the day's own midnight in UTC: what a time-weighted level needs of its changes.
    -- Null where one of them does not fit: then the quantity is unknown, and its line waits.
    case when count(moment) = count(value) then cast(sum(moment) as decimal(38, 10)) end as value_moment,
    arg_max(value, (occurred_at, recorded_at, event_id)) filter (where aggregation in ('latest', 'max', 'min', 'time_weighted')) as latest_value,
    arg_max(operation, (occurred_at, recorded_at, event_id)) as latest_operation,
    max(occurred_at) as latest_at,
    max((occurred_at, recorded_at, event_id)) as latest_order,
    max(recorded_at) as last_recorded_at
from scaled
group by
    tenant_id, customer_id, subscription_id, terms_no, price_book, meter, amount_property, dimension_values, local_day, hour_at, item,
    event_type, received_on
{% if not is_incremental() %}
-- depends_on: {{ ref('int_metering__day_marks') }}
-- depends_on: {{ ref('int_metering__customer_marks') }}
{% endif %}
