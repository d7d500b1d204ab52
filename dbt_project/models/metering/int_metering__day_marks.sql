-- A mark of what is known of every received day: how many events landed, which of them lose to other copies, and up to when
-- facts count. A day whose mark is what it was needs no second look.
with

tenants as (

    select
        tenant_id,
        known_as_of
    from {{ ref('stg_ratehouse__tenant_clocks') }}

),

landed as (

    select
        received_on,
        count(*) as events
    from {{ ref('int_metering__event_keys') }}
    group by received_on

),

losers as (

    select
        received_on,
        count(*) as events,
        bit_xor({{ hash_key('tenant_id', 'event_id', 'recorded_at', 'customer_id', 'subscription_id', 'event_type', 'occurred_at', 'quantity', 'properties') }}) as content
    from {{ ref('int_metering__repeated_events') }}
    where standing <> 'accepted'
    group by received_on

)

select
    tenants.tenant_id,
    landed.received_on,
    {{ hash_key(
        'landed.events',
        'coalesce(losers.events, 0)',
        'coalesce(losers.content, 0)',
        'least(tenants.known_as_of, cast(landed.received_on + 1 as timestamp with time zone))'
    ) }} as mark
from landed
cross join tenants
left join losers on landed.received_on = losers.received_on
where tenants.known_as_of >= cast(landed.received_on as timestamp with time zone)
