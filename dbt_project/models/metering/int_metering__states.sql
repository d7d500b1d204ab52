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

-- The days that changed and, where a customer did, every other day, for that customer's sake alone.
read_days as (

    select received_on from stale_days
    union
    select received_on
    from {{ ref('int_metering__day_marks') }}
    where tenant_id in (select tenant_id from stale_customers)

),

events as {{ not_materialized() }}(

    select
        *,
        (tenant_id, received_on) in (select (tenant_id, received_on) from stale_days) as is_stale
    from {{ ref('int_metering__accepted_events') }}
    where received_on in (select received_on from read_days)

),
{% else %}
events as {{ not_materialized() }}(

    select * from {{ ref('int_metering__accepted_events') }}

),
{% endif %}

-- A segment is what states are kept by: spans that only a change of the zone's offset divides are one. It is plain when
-- the price asks for nothing of an event but its quantity, in no order: most usage is, and takes a shorter way below.
spans as (

    select
        *,
        dense_rank() over (order by tenant_id, subscription_id, terms_no, meter, amount_property) as segment_no,
        aggregation in ('latest', 'time_weighted', 'unique_count') or persistent as needs_order,
        aggregation in ('sum', 'count', 'max', 'min')
        and coalesce(property, '$quantity') = '$quantity'
        and coalesce(multiply_by, 1) = 1
        and round_each_mode is null
        and amount_property = ''
        and not (persistent or needs_dimensions or keeps_hours or keeps_events or is_contended) as is_plain
    from {{ ref('int_metering__spans') }}

),

segments as (

    select
        segment_no,
        any_value(tenant_id) as tenant_id,
        any_value(customer_id) as customer_id,
        any_value(subscription_id) as subscription_id,
        any_value(terms_no) as terms_no,
        any_value(price_book) as price_book,
        any_value(meter) as meter,
        any_value(amount_property) as amount_property,
        any_value(event_type) as event_type,
        any_value(aggregation) as aggregation,
        any_value(meter_no) = 1 as is_first_meter
    from spans
    group by segment_no

),

-- Every span under each name by which an event may claim it: the subscription's or, of an event that names none, the
-- customer's. Whether an event is known yet is asked here too: events are many, and this way they are joined once.
claims as (

    select
        spans.*,
        case when spans.by_subscription then spans.subscription_id else spans.customer_id end as owner_id,
        {% if is_incremental() %}
        (spans.tenant_id, spans.customer_id) in (select (tenant_id, customer_id) from stale_customers) as is_stale,
        {% endif %}
        clocks.known_as_of
    from (select *, unnest([true, false]) as by_subscription from spans) as spans
    inner join {{ ref('stg_ratehouse__tenant_clocks') }} as clocks on spans.tenant_id = clocks.tenant_id

),

plain_grouped as (

    select
        claims.segment_no,
        {{ local_day('events.occurred_at', 'claims.offset_us') }} as local_day,
        events.received_on,
        count(*) as event_count,
        count(events.quantity) as quantity_count,
        sum(events.quantity) as quantity_sum,
        max(events.quantity) as quantity_max,
        min(events.quantity) as quantity_min,
        max(events.occurred_at) as latest_at,
        max(events.recorded_at) as last_recorded_at
    from events
    inner join claims
        on {{ claims_event() }}
    where claims.is_plain
    group by claims.segment_no, local_day, events.received_on

),

-- Who an event belongs to is settled by its span, except where several subscriptions or conditions compete for it.
claimed as (

    select
        {{ claimed_columns() }},
        claims.meter_no = 1 as is_first_meter
    from events
    inner join claims
        on {{ claims_event() }}
    where not claims.is_plain and not claims.is_contended

),

contested as (

    select
        {{ claimed_columns() }},
        row_number() over (partition by events.tenant_id, events.event_id order by claims.seniority, claims.meter_no) = 1 as is_first_meter
    from events
    inner join claims
        on {{ claims_event() }}
    where
        claims.is_contended
        and events.event_type in (select event_type from claims where is_contended)
        and {{ meter_accepts('claims.accepts', 'claims.refuses', 'events.properties') }}
    qualify claims.seniority = min(claims.seniority) over (partition by events.tenant_id, events.event_id)

),

attributed as (

    select * from claimed
    union all
    select * from contested

),

read as (

    select
        *,
        {{ local_day('occurred_at', 'offset_us') }} as local_day,
        case
            when keeps_hours
                then make_timestamptz(((epoch_us(occurred_at) + offset_us) // 3600000000) * 3600000000 - offset_us)
        end as hour_at,
        case
            when property = '$quantity' and aggregation = 'unique_count' then cast(quantity as varchar)
            when property = '$quantity' then null
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

),

-- Grouped by number, named afterwards: there are far fewer states than events.
grouped as (

    select
        segment_no,
        dimension_values,
        local_day,
        hour_at,
        item,
        received_on,
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
        arg_max(value, (occurred_at, recorded_at, event_id)) filter (where needs_order) as latest_value,
        arg_max(operation, (occurred_at, recorded_at, event_id)) filter (where needs_order) as latest_operation,
        max(occurred_at) as latest_at,
        max((occurred_at, recorded_at, event_id)) filter (where needs_order) as latest_order,
        max(recorded_at) as last_recorded_at
    from scaled
    group by segment_no, dimension_values, local_day, hour_at, item, received_on

),

states as (

    select
        segments.* exclude (segment_no, is_first_meter),
        grouped.* exclude (segment_no)
    from grouped
    -- A left join, so that the many states are never the side that is kept in memory.
    left join segments on grouped.segment_no = segments.segment_no

),

-- What a plain segment counts is one an event.
plain_states as (

    select
        segments.* exclude (segment_no, is_first_meter),
        '' as dimension_values,
        plain.local_day,
        '' as item,
        plain.received_on,
        plain.event_count,
        case when segments.is_first_meter then plain.event_count else 0 end as rated_events,
        case when segments.is_first_meter then plain.quantity_sum end as rated_quantity,
        case when segments.aggregation = 'count' then 0 else plain.event_count - plain.quantity_count end as skipped_values,
        case when segments.aggregation = 'count' then plain.event_count else plain.quantity_count end as value_count,
        case when segments.aggregation = 'count' then cast(plain.event_count as decimal(38, 10)) else plain.quantity_sum end as value_sum,
        case when segments.aggregation = 'count' then 1 else plain.quantity_max end as value_max,
        case when segments.aggregation = 'count' then 1 else plain.quantity_min end as value_min,
        plain.latest_at,
        plain.last_recorded_at
    from plain_grouped as plain
    left join segments on plain.segment_no = segments.segment_no

)

select * from states
union all by name
select * from plain_states
{% if not is_incremental() %}
-- depends_on: {{ ref('int_metering__day_marks') }}
-- depends_on: {{ ref('int_metering__customer_marks') }}
{% endif %}
