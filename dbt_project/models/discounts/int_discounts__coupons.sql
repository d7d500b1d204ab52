-- The coupons of every subscription in the order in which they apply: its own as named at the start and applied later, then those
-- given to its customer as a whole. A coupon is known by the event that applied it (discount_id).
with

events as (

    select
        events.*,
        {{ json_text('events.data', 'coupon') }} as coupon
    from {{ ref('stg_ratehouse__subscription_events') }} as events
    where events.type in ('created', 'coupon_applied', 'coupon_removed')

),

creations as (

    select
        tenant_id,
        subscription_id,
        customer_id,
        event_id,
        timezone,
        price_book
    from {{ ref('int_subscriptions__events') }}
    where type = 'created'
    qualify row_number() over (partition by tenant_id, subscription_id order by event_order) = 1

),

named as (

    select
        events.tenant_id,
        events.subscription_id,
        events.event_id,
        events.effective_at,
        events.recorded_at,
        true as is_from_start,
        unnest(cast({{ json_part('events.data', 'coupons') }} as varchar [])) as coupon,
        generate_subscripts(cast({{ json_part('events.data', 'coupons') }} as varchar []), 1) as place
    from events
    inner join creations
        on
            events.tenant_id = creations.tenant_id
            and events.event_id = creations.event_id
    union all by name
    select
        tenant_id,
        subscription_id,
        customer_id,
        event_id,
        effective_at,
        recorded_at,
        false as is_from_start,
        coupon,
        1 as place
    from events
    where type = 'coupon_applied'

),

removals as (

    select * from events
    where type = 'coupon_removed'

),

ended as (

    select
        named.*,
        min(removals.effective_at) as removed_at
    from named
    left join removals
        on
            named.tenant_id = removals.tenant_id
            and named.subscription_id is not distinct from removals.subscription_id
            and (named.subscription_id is not null or named.customer_id = removals.customer_id)
            and named.coupon = removals.coupon
            and (removals.effective_at, removals.recorded_at) > (named.effective_at, named.recorded_at)
    group by all

),

held as (

    select
        ended.* exclude (subscription_id, customer_id),
        creations.subscription_id,
        creations.customer_id,
        creations.timezone,
        creations.price_book,
        ended.subscription_id is null as is_of_customer
    from ended
    inner join creations
        on
            ended.tenant_id = creations.tenant_id
            and (
                ended.subscription_id = creations.subscription_id
                or (ended.subscription_id is null and ended.customer_id = creations.customer_id)
            )

),

definitions as (

    select
        tenant_id,
        price_book,
        effective_from,
        unnest({{ json_entries('document', 'coupons') }}) as entry
    from {{ ref('stg_ratehouse__price_books') }}

),

-- A coupon means what the subscription's own version says; one that came later, what the newest version by then says.
defined as (

    select
        held.*,
        definitions.entry.value as definition
    from held
    inner join definitions
        on
            held.tenant_id = definitions.tenant_id
            and held.coupon = definitions.entry.key
    qualify row_number() over (
        partition by held.tenant_id, held.subscription_id, held.event_id, held.place
        order by
            definitions.price_book <> held.price_book,
            definitions.effective_from <= {{ local_date('held.effective_at', 'held.timezone') }} desc,
            definitions.effective_from desc,
            definitions.price_book desc
    ) = 1

),

ordered as (

    select
        *,
        row_number() over (
            partition by tenant_id, subscription_id, is_of_customer order by effective_at, recorded_at, event_id, place
        ) as own_position
    from defined

),

-- A customer's coupon comes after the last of any of its subscriptions' own, so that all of them are ready for it.
positioned as (

    select
        *,
        case
            when not is_of_customer then own_position
            else own_position + coalesce(
                max(own_position) filter (where not is_of_customer) over (partition by tenant_id, customer_id), 0
            )
        end as position
    from ordered

)

select
    tenant_id,
    subscription_id,
    customer_id,
    concat_ws('/', event_id, coupon) as discount_id,
    event_id,
    coupon,
    position,
    is_of_customer,
    case when is_of_customer then customer_id else subscription_id end as holder,
    case when not is_from_start then {{ local_date('effective_at', 'timezone') }} end as starts_on,
    {{ local_date('removed_at', 'timezone') }} as removed_on,
    cast({{ json_text('definition', 'percent') }} as decimal(28, 12)) as percent,
    cast({{ json_text('definition', 'amount') }} as decimal(20, 4)) as amount,
    {{ json_text('definition', 'currency') }} as currency,
    {{ json_text('definition', 'duration') }} as duration,
    cast({{ json_text('definition', 'periods') }} as integer) as periods,
    cast({{ json_part('definition', 'applies_to') }} as varchar []) as applies_to
from positioned
