-- Subscription events in the order in which they fold, with what each one asks for; a column is null where the event says
-- nothing of it. Order: (effective_at, recorded_at, event id).
-- depends_on: {{ ref('int_subscriptions__changed_lives') }}
{{ config(materialized='by_subscription', changes='lives') }}
with

-- What was told of subscriptions, and what a dunning ladder did to them.
events as (

    select * from {{ ref('stg_ratehouse__subscription_events') }}
    union all by name
    select * from {{ ref('int_dunning__cancellations') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

customers as (

    select * from {{ ref('int_subscriptions__customers') }}

),

-- The currency is read once a book, not once an event.
books as (

    select
        tenant_id,
        price_book,
        effective_from,
        {{ json_text('document', 'currency') }} as currency
    from {{ ref('stg_ratehouse__price_books') }}

),

plans as (

    select * from {{ ref('int_rating__plans') }}

),

negotiated as (

    select * from {{ ref('stg_ratehouse__negotiated_charges') }}

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
        creations.effective_at as created_at,
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
        coalesce(versions.created_currency, versions.stated_currency, books.currency, versions.tenant_currency) as currency
    from versions
    left join books
        on
            versions.tenant_id = books.tenant_id
            and versions.first_price_book = books.price_book

),

typed as (

    select
        events.tenant_id,
        events.subscription_id,
        priced.customer_id,
        events.event_id,
        events.type,
        events.effective_at,
        events.recorded_at,
        priced.created_at,
        priced.timezone,
        priced.currency,
        priced.proration_method,
        row_number() over sequence as event_order,
        {{ local_date('events.effective_at', 'priced.timezone') }} as effective_on,
        case when events.type in ('created', 'plan_changed') then {{ json_text('events.data', 'plan') }} end as plan,
        case
            when events.type = 'created' then priced.first_price_book
            when events.type = 'price_migrated' then {{ json_text('events.data', 'price_book') }}
        end as price_book,
        case
            when events.type in ('created', 'quantity_changed') then {{ json_part('events.data', 'quantities') }}
        end as quantities,
        case
            when events.type in ('created', 'overridden')
                then coalesce(cast(negotiated.charges as json), {{ json_part('events.data', 'overrides') }})
        end as overrides,
        negotiated.reason_code as override_problem,
        case events.type
            when 'created' then case when {{ json_text('events.data', 'starts_paused') }} = 'true' then 'stop' else 'on' end
            when 'reactivated' then 'on'
            when 'resumed' then 'on'
            when 'paused' then coalesce({{ json_text('events.data', 'mode') }}, 'stop')
            when 'cancelled' then 'off'
        end as billing,
        -- A fee that cannot be prorated changes with its period.
        coalesce({{ json_text('events.data', 'when') }} = 'period_end', false)
        or (priced.proration_method = 'none' and events.type in ('plan_changed', 'quantity_changed', 'overridden', 'price_migrated', 'cancelled'))
            as is_at_period_end,
        try_cast({{ json_text('events.data', 'anchor_day') }} as integer) as anchor_day,
        try_cast({{ json_text('events.data', 'keep_anchor') }} as boolean) as keep_anchor,
        try_cast({{ json_text('events.data', 'trial_days') }} as integer) as trial_days,
        try_cast({{ json_text('events.data', 'until') }} as date) as until_on,
        coalesce({{ json_text('events.data', 'billing') }}, 'now') as billing_ends,
        case when events.type = 'item_bought' then {{ json_text('events.data', 'charge') }} end as item_charge,
        case when events.type = 'item_bought' then try_cast(coalesce({{ json_text('events.data', 'quantity') }}, '1') as decimal(28, 10)) end as item_quantity,
        try_cast({{ json_text('events.data', 'term.months') }} as integer) as term_months,
        coalesce({{ json_text('events.data', 'term.auto_renew') }} = 'false', false) as ends_with_term,
        coalesce(try_cast({{ json_text('events.data', 'term.notice_days') }} as integer), 0) as notice_days,
        coalesce({{ json_text('events.data', 'term.early_termination') }}, 'none') as early_termination,
        try_cast({{ json_text('events.data', 'term.fee') }} as {{ exact_amount() }}) as termination_fee,
        coalesce({{ json_text('events.data', 'term.locked_downgrades') }} = 'true', false) as locks_downgrades,
        try_cast({{ json_text('events.data', 'term.uplift_percent') }} as decimal(28, 12)) as term_uplift_percent,
        try_cast({{ json_text('events.data', 'activation.first_payment_hours') }} as integer) as first_payment_hours
    from events
    inner join priced
        on
            events.tenant_id = priced.tenant_id
            and events.subscription_id = priced.subscription_id
    left join negotiated
        on
            events.tenant_id = negotiated.tenant_id
            and events.event_id = negotiated.event_id
    window sequence as (
        partition by events.tenant_id, events.subscription_id
        order by events.effective_at, events.recorded_at, events.event_id
    )

),

-- Numbers that no subscription can have; what cannot be read as a number is one of them.
checked as (

    select
        *,
        coalesce({{ is_bad_quantities('quantities') }}, false)
        or coalesce(anchor_day not between 1 and 31, type = 'anchor_changed')
        or coalesce(trial_days < 0, false)
        or coalesce(term_months < 1, false)
        or coalesce(term_uplift_percent not between 0 and 1000, false)
        or coalesce(item_quantity <= 0, type = 'item_bought')
        or coalesce(until_on is null, true) and type = 'trial_extended' as has_bad_number
    from typed

),

versioned as (

    select
        *,
        last_value(price_book ignore nulls) over history as book_in_force,
        case when type = 'price_migrated' then last_value(plan ignore nulls) over history else plan end as plan_asked
    from checked
    window history as (partition by tenant_id, subscription_id order by event_order)

)

select
    versioned.* exclude (trial_days, book_in_force, plan_asked, override_problem, has_bad_number),
    case
        when versioned.plan is null then null
        when plans.trial = 'paid' then 0
        else coalesce(versioned.trial_days, plans.trial_days)
    end as trial_days,
    {{ interval_months('plans.interval') }} * plans.interval_count as months,
    {{ interval_days('plans.interval') }} * plans.interval_count as days,
    coalesce(plans.anchor = 'calendar', false) as is_calendar,
    case
        when versioned.override_problem is not null then versioned.override_problem
        when versioned.has_bad_number then 'bad_number'
        when versioned.type not in ('created', 'plan_changed', 'price_migrated') then null
        when plans.plan is null then 'unknown_plan'
        -- A charge that is not negotiated must have a price in the currency of the subscription.
        when len(list_filter(
            map_entries(cast(plans.charges as map(varchar, json))),
            lambda charge: not list_contains(json_extract_string(charge.value, '$.prices[*].currency'), versioned.currency)
                and not list_contains(coalesce(json_keys(versioned.overrides), []), charge.key)
        )) > 0 then 'no_price_in_currency'
    end as problem
from versioned
left join plans
    on
        versioned.tenant_id = plans.tenant_id
        and versioned.book_in_force = plans.price_book
        and versioned.plan_asked = plans.plan
