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

-- What a charge can be paid in is read once a plan, too.
plans as (

    select
        *,
        list_transform(
            {{ json_entries('charges') }},
            lambda charge: struct_pack(name := charge.key, currencies := json_extract_string(charge.value, '$.prices[*].currency'))
        ) as payable
    from {{ ref('int_rating__plans') }}

),

negotiated as (

    select * from {{ ref('stg_ratehouse__negotiated_charges') }}

),

-- The names that an event may use, of all versions of its tenant.
offers as (

    select
        tenant_id,
        list(distinct charge.key) as charges,
        list(distinct charge.key) filter (where {{ json_text('charge.value', 'type') }} = 'one_time') as items
    from (select tenant_id, unnest({{ json_entries('charges') }}) as charge from plans)
    group by tenant_id

),

coupons as (

    select
        tenant_id,
        list(distinct entry.key) as coupons
    from (select tenant_id, unnest({{ json_entries('document', 'coupons') }}) as entry from {{ ref('stg_ratehouse__price_books') }})
    group by tenant_id

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

ordered as (

    select
        *,
        row_number() over (partition by tenant_id, subscription_id order by effective_at, recorded_at, event_id) as event_order
    from events

),

-- An event's JSON is read once, for all that it may say.
told as (

    select
        * exclude (data),
        {{ json_fields('data', {
            'plan': 'varchar',
            'price_book': 'varchar',
            'quantities': 'json',
            'overrides': 'json',
            'coupon': 'varchar',
            'coupons': 'json',
            'charge': 'varchar',
            'quantity': 'varchar',
            'when': 'varchar',
            'mode': 'varchar',
            'billing': 'varchar',
            'starts_paused': 'varchar',
            'anchor_day': 'varchar',
            'keep_anchor': 'varchar',
            'trial_days': 'varchar',
            'until': 'varchar',
            'term': {
                'months': 'varchar',
                'auto_renew': 'varchar',
                'notice_days': 'varchar',
                'early_termination': 'varchar',
                'fee': 'varchar',
                'locked_downgrades': 'varchar',
                'uplift_percent': 'varchar'
            },
            'activation': {'first_payment_hours': 'varchar'}
        }) }} as told
    from ordered

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
        events.event_order,
        {{ local_date('events.effective_at', 'priced.timezone') }} as effective_on,
        case when events.type in ('created', 'plan_changed') then events.told.plan end as plan,
        case
            when events.type = 'created' then priced.first_price_book
            when events.type = 'price_migrated' then events.told.price_book
        end as price_book,
        case
            when events.type in ('created', 'quantity_changed') then events.told.quantities
        end as quantities,
        case
            when events.type in ('created', 'overridden')
                then coalesce(cast(negotiated.charges as json), events.told.overrides)
        end as overrides,
        negotiated.reason_code as override_problem,
        case events.type
            when 'created' then case when events.told.starts_paused = 'true' then 'stop' else 'on' end
            when 'reactivated' then 'on'
            when 'resumed' then 'on'
            when 'paused' then coalesce(events.told.mode, 'stop')
            when 'cancelled' then 'off'
        end as billing,
        -- A fee that cannot be prorated changes with its period.
        coalesce(events.told."when" = 'period_end', false)
        or (priced.proration_method = 'none' and events.type in ('plan_changed', 'quantity_changed', 'overridden', 'price_migrated', 'cancelled'))
            as is_at_period_end,
        try_cast(events.told.anchor_day as integer) as anchor_day,
        try_cast(events.told.keep_anchor as boolean) as keep_anchor,
        try_cast(events.told.trial_days as integer) as trial_days,
        try_cast(events.told.until as date) as until_on,
        coalesce(events.told.billing, 'now') as billing_ends,
        case when events.type = 'item_bought' then events.told.charge end as item_charge,
        case when events.type = 'item_bought' then try_cast(coalesce(events.told.quantity, '1') as decimal(28, 10)) end as item_quantity,
        try_cast(events.told.term.months as integer) as term_months,
        coalesce(events.told.term.auto_renew = 'false', false) as ends_with_term,
        coalesce(try_cast(events.told.term.notice_days as integer), 0) as notice_days,
        coalesce(events.told.term.early_termination, 'none') as early_termination,
        try_cast(events.told.term.fee as {{ exact_amount() }}) as termination_fee,
        coalesce(events.told.term.locked_downgrades = 'true', false) as locks_downgrades,
        try_cast(events.told.term.uplift_percent as decimal(28, 12)) as term_uplift_percent,
        try_cast(events.told.activation.first_payment_hours as integer) as first_payment_hours,
        {% for number in ('anchor_day', 'trial_days', 'term.months', 'term.notice_days', 'term.fee', 'term.uplift_percent', 'activation.first_payment_hours') -%}
        {{ 'or ' if not loop.first }}(events.told.{{ number }} is not null and try_cast(events.told.{{ number }} as decimal(28, 10)) is null)
        {% endfor -%} as has_unreadable_number,
        {% for path, words in {
            '"when"': ('now', 'immediate', 'period_end'),
            'mode': ('stop', 'bill_and_hold'),
            'billing': ('now', 'start_of_term', 'end_of_term'),
            'term.early_termination': ('none', 'remaining', 'fee'),
            'keep_anchor': ('true', 'false'),
            'starts_paused': ('true', 'false'),
            'term.auto_renew': ('true', 'false')
        }.items() -%}
        {{ 'or ' if not loop.first }}coalesce(events.told.{{ path }} not in ('{{ words | join("', '") }}'), false)
        {% endfor -%} as has_unknown_word,
        list_concat(
            case when events.type = 'created' then coalesce(cast(events.told.coupons as varchar []), []) else [] end,
            case when events.type = 'coupon_applied' then [events.told.coupon] else [] end
        ) as named_coupons
    from told as events
    inner join priced
        on
            events.tenant_id = priced.tenant_id
            and events.subscription_id = priced.subscription_id
    left join negotiated
        on
            events.tenant_id = negotiated.tenant_id
            and events.event_id = negotiated.event_id

),

-- Numbers that no subscription can have; what cannot be read as a number is one of them.
checked as (

    select
        *,
        coalesce({{ is_bad_quantities('quantities') }}, false)
        or has_unreadable_number
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
    versioned.* exclude (
        trial_days, book_in_force, plan_asked, override_problem, has_bad_number, has_unreadable_number, has_unknown_word, named_coupons
    ),
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
        -- A word that means nothing would else be read as the default, a name that no version has as nothing at all.
        when
            versioned.has_unknown_word
            or not list_has_all(coalesce(coupons.coupons, []), versioned.named_coupons)
            or not coalesce(list_contains(offers.items, versioned.item_charge), versioned.type <> 'item_bought')
            or not list_has_all(coalesce(offers.charges, []), coalesce(json_keys(versioned.overrides), []))
            then 'unknown_key'
        when versioned.type not in ('created', 'plan_changed', 'price_migrated') then null
        when plans.plan is null then 'unknown_plan'
        -- A charge that is not negotiated must have a price in the currency of the subscription.
        when len(list_filter(
            plans.payable,
            lambda charge: not list_contains(charge.currencies, versioned.currency)
                and not list_contains(coalesce(json_keys(versioned.overrides), []), charge.name)
        )) > 0 then 'no_price_in_currency'
    end as problem
from versioned
left join plans
    on
        versioned.tenant_id = plans.tenant_id
        and versioned.book_in_force = plans.price_book
        and versioned.plan_asked = plans.plan
left join offers on versioned.tenant_id = offers.tenant_id
left join coupons on versioned.tenant_id = coupons.tenant_id
