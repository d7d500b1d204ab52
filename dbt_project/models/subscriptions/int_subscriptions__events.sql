-- Subscription events in the order in which they fold, with what each one sets; a column is null where the event says nothing of it.
with

events as (

    select * from {{ ref('stg_ratehouse__subscription_events') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

customers as (

    select * from {{ ref('int_subscriptions__customers') }}

),

books as (

    select * from {{ ref('stg_ratehouse__price_books') }}

),

creations as (

    select
        tenant_id,
        subscription_id,
        customer_id,
        effective_at,
        data
    from events
    where type = 'created'
    qualify row_number() over (
        partition by tenant_id, subscription_id order by effective_at, recorded_at, event_id
    ) = 1

),

-- Whose the subscription is, and in which zone its days are cut.
subscriptions as (

    select
        creations.tenant_id,
        creations.subscription_id,
        creations.customer_id,
        customers.timezone,
        customers.stated_currency,
        tenants.currency as tenant_currency,
        tenants.proration_method,
        {{ json_text('creations.data', 'currency') }} as created_currency,
        {{ json_text('creations.data', 'price_book') }} as created_price_book,
        {{ local_date('creations.effective_at', 'customers.timezone') }} as created_on
    from creations
    inner join tenants on creations.tenant_id = tenants.tenant_id
    inner join customers
        on
            creations.tenant_id = customers.tenant_id
            and creations.customer_id = customers.customer_id

),

-- Grandfathering: the version in force on the day the subscription starts stays until it is migrated.
versions as (

    select
        subscriptions.*,
        coalesce(subscriptions.created_price_book, books.price_book) as first_price_book
    from subscriptions
    left join books
        on
            subscriptions.tenant_id = books.tenant_id
            and subscriptions.created_on >= books.effective_from
    qualify row_number() over (
        partition by subscriptions.tenant_id, subscriptions.subscription_id order by books.effective_from desc, books.price_book desc
    ) = 1

),

priced as (

    select
        versions.*,
        coalesce(
            versions.created_currency, versions.stated_currency,
            {{ json_text('books.document', 'currency') }}, versions.tenant_currency
        ) as currency
    from versions
    left join books
        on
            versions.tenant_id = books.tenant_id
            and versions.first_price_book = books.price_book

)

select
    events.tenant_id,
    events.subscription_id,
    priced.customer_id,
    events.event_id,
    events.type,
    events.effective_at,
    events.recorded_at,
    events.data,
    priced.timezone,
    priced.currency,
    priced.proration_method,
    row_number() over (
        partition by events.tenant_id, events.subscription_id
        order by events.effective_at, events.recorded_at, events.event_id
    ) as event_order,
    {{ local_date('events.effective_at', 'priced.timezone') }} as starts_on,
    case
        when priced.proration_method = 'second' then events.effective_at
        else {{ start_of_day(local_date('events.effective_at', 'priced.timezone'), 'priced.timezone') }}
    end as starts_at,
    case when events.type in ('created', 'plan_changed') then {{ json_text('events.data', 'plan') }} end as plan,
    case
        when events.type = 'created' then priced.first_price_book
        when events.type = 'price_migrated' then {{ json_text('events.data', 'price_book') }}
    end as price_book,
    case
        when events.type in ('created', 'quantity_changed') then {{ json_part('events.data', 'quantities') }}
    end as quantities,
    case when events.type in ('created', 'overridden') then {{ json_part('events.data', 'overrides') }} end as overrides,
    case events.type when 'created' then 'on' when 'reactivated' then 'on' when 'cancelled' then 'off' end as service,
    case when events.type = 'created' then try_cast({{ json_text('events.data', 'anchor_day') }} as integer) end as anchor_day
from events
inner join priced
    on
        events.tenant_id = priced.tenant_id
        and events.subscription_id = priced.subscription_id
