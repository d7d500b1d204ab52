-- A mark of all that a subscription's life follows from: what was told of it, its customer's zone and currency, its tenant's settings and
-- price books, and the rules themselves. Where it is what it was, the life stays as it is (macros/by_subscription.sql).
{{ config(tags=['marks']) }}
with

events as (

    select * from {{ ref('stg_ratehouse__subscription_events') }}
    union all by name
    select * from {{ ref('int_dunning__cancellations') }}

),

customers as (

    select * from {{ ref('int_subscriptions__customers') }}

),

negotiated as (

    select * from {{ ref('stg_ratehouse__negotiated_charges') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

books as (

    select
        tenant_id,
        bit_xor({{ hash_key('price_book', 'effective_from', 'document') }}) as mark
    from {{ ref('stg_ratehouse__price_books') }}
    group by tenant_id

),

-- Terms that renew at higher prices are laid out some months ahead (int_subscriptions__timeline).
told as (

    select
        events.tenant_id,
        events.subscription_id,
        {{ hash_key(
            'events.event_id',
            'events.customer_id',
            'events.type',
            'events.effective_at',
            'events.recorded_at',
            'events.data',
            'negotiated.charges',
            'negotiated.reason_code',
            'customers.timezone',
            'customers.stated_currency',
            "case when contains(events.data, 'uplift_percent') then date_trunc('month', cast(tenants.billing_as_of as date)) end"
        ) }} as mark
    from events
    inner join tenants on events.tenant_id = tenants.tenant_id
    left join negotiated
        on
            events.tenant_id = negotiated.tenant_id
            and events.event_id = negotiated.event_id
    left join customers
        on
            events.tenant_id = customers.tenant_id
            and events.customer_id = customers.customer_id
    -- What was told of a customer as a whole is no part of any one life.
    where events.subscription_id is not null

),

lives as (

    select
        tenant_id,
        subscription_id,
        {{ hash_key('count(*)', 'bit_xor(mark)') }} as mark
    from told
    group by tenant_id, subscription_id

)

select
    lives.tenant_id,
    lives.subscription_id,
    {{ hash_key('lives.mark', 'tenants.document', 'books.mark', rules_mark()) }} as mark
from lives
inner join tenants on lives.tenant_id = tenants.tenant_id
left join books on lives.tenant_id = books.tenant_id
