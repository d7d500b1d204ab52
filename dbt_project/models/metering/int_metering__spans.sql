-- Who an event belongs to: for every meter of every subscription, the instants between which its events count, the terms
-- then in force, and what the rating will need to know of each event. Split where the zone's offset changes.
with

terms_charges as (

    select * from {{ ref('int_rating__terms_charges') }}

),

charges as (

    select * from {{ ref('int_rating__charges') }}

),

prices as (

    select
        charge_key,
        max(amount_property) as amount_property,
        bool_or(
            model = 'percentage'
            and coalesce(free_events, free_amount, event_minimum, event_maximum) is not null
        ) as prices_each_event
    from {{ ref('int_rating__prices') }}
    group by charge_key

),

meters as (

    select * from {{ ref('int_metering__meters') }}

),

offsets as (

    select * from {{ ref('int_metering__zone_offsets') }}

),

metered as (

    select
        terms_charges.tenant_id,
        terms_charges.subscription_id,
        terms_charges.terms_no,
        charges.meter,
        coalesce(prices.amount_property, '') as amount_property,
        any_value(terms_charges.customer_id) as customer_id,
        any_value(terms_charges.price_book) as price_book,
        any_value(terms_charges.timezone) as timezone,
        any_value(terms_charges.starts_at) as starts_at,
        any_value(terms_charges.ends_at) as ends_at,
        bool_or(charges.splits) as needs_dimensions,
        coalesce(bool_or(charges.charge_window = 'hour'), false) as needs_hours,
        coalesce(bool_or(prices.prices_each_event or charges.prorate_usage = 'day'), false) as needs_events
    from terms_charges
    inner join charges on terms_charges.charge_key = charges.charge_key
    inner join prices on terms_charges.charge_key = prices.charge_key
    where charges.type = 'usage'
    group by all

),

-- An event that names only a customer belongs to the oldest of the customer's subscriptions with a meter for it.
seniorities as (

    select
        tenant_id,
        subscription_id,
        row_number() over (partition by tenant_id, customer_id order by effective_at, subscription_id) as seniority
    from {{ ref('int_subscriptions__events') }}
    where type = 'created'

),

typed as (

    select
        metered.*,
        meters.* exclude (tenant_id, price_book, meter),
        coalesce(meters.meter_window = 'hour', false) or metered.needs_hours as keeps_hours,
        metered.needs_events or coalesce(meters.aggregation = 'time_weighted' and meters.reading = 'level', false) as keeps_events,
        seniorities.seniority,
        row_number() over (
            partition by metered.tenant_id, metered.subscription_id, metered.terms_no, meters.event_type
            order by metered.meter, metered.amount_property
        ) as meter_no,
        -- Several subscriptions may claim an event, or conditions may leave it to any of several meters.
        min(seniorities.seniority) over same_type <> max(seniorities.seniority) over same_type
        or max(len(meters.accepts) + len(meters.refuses)) over same_type > 0 as is_contended
    from metered
    inner join meters
        on
            metered.tenant_id = meters.tenant_id
            and metered.price_book = meters.price_book
            and metered.meter = meters.meter
    inner join seniorities
        on
            metered.tenant_id = seniorities.tenant_id
            and metered.subscription_id = seniorities.subscription_id
    window same_type as (partition by metered.tenant_id, metered.customer_id, meters.event_type)

),

-- The mark leaves out the zone's offsets: they follow from its name.
marked as (

    select
        *,
        {{ hash_key('cast(to_json(typed) as varchar)') }} as span_mark
    from typed

)

select
    typed.* exclude (starts_at, ends_at, needs_hours, needs_events),
    greatest(typed.starts_at, offsets.starts_at) as starts_at,
    least(
        coalesce(typed.ends_at, cast('9999-01-01' as timestamp with time zone)),
        coalesce(offsets.ends_at, cast('9999-01-01' as timestamp with time zone))
    ) as ends_at,
    offsets.offset_us
from marked as typed
inner join offsets
    on
        typed.timezone = offsets.timezone
        and typed.starts_at < coalesce(offsets.ends_at, cast('9999-01-01' as timestamp with time zone))
        and (typed.ends_at is null or typed.ends_at > offsets.starts_at)
