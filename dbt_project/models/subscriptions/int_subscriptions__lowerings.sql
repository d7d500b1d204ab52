-- Which changes lower the recurring fees of a subscription, compared per day of the cycle: where downgrades are locked or nothing
-- is credited, such a change waits. Only subscriptions for which that matters are looked at.
-- depends_on: {{ ref('int_subscriptions__changed_lives') }}
{{ config(materialized='by_subscription', changes='lives') }}
with

events as (

    select * from {{ ref('int_subscriptions__events') }}
    where problem is null

),

plans as (

    select * from {{ ref('int_rating__plans') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

careful as (

    select distinct
        events.tenant_id,
        events.subscription_id,
        tenants.proration_credit = 'none' as gives_nothing_back
    from events
    inner join tenants on events.tenant_id = tenants.tenant_id
    where tenants.proration_credit = 'none' or events.locks_downgrades

),

terms as (

    select
        events.tenant_id,
        events.subscription_id,
        events.event_order,
        events.type,
        events.currency,
        careful.gives_nothing_back,
        last_value(events.plan ignore nulls) over history as plan,
        last_value(events.price_book ignore nulls) over history as price_book,
        {{ fold_json_patches('events.quantities', 'history') }} as quantities,
        {{ fold_json_patches('events.overrides', 'history') }} as overrides
    from events
    inner join careful
        on
            events.tenant_id = careful.tenant_id
            and events.subscription_id = careful.subscription_id
    window history as (
        partition by events.tenant_id, events.subscription_id order by events.event_order
        rows between unbounded preceding and current row
    )

),

plan_charges as (

    select
        terms.*,
        -- Months count as twelfths of 365 days, so that every length is a whole number.
        case when plans.interval in ('day', 'week') then 12 else 365 end
        * coalesce({{ interval_days('plans.interval') }}, {{ interval_months('plans.interval') }}) * plans.interval_count as length,
        unnest(map_entries(cast(plans.charges as map(varchar, json)))) as entry
    from terms
    inner join plans
        on
            terms.tenant_id = plans.tenant_id
            and terms.price_book = plans.price_book
            and terms.plan = plans.plan

),

defined as (

    select
        * exclude (entry, overrides),
        entry.key as charge,
        coalesce(json_extract(overrides, '$."' || entry.key || '"'), entry.value) as definition
    from plan_charges

),

priced as (

    select
        *,
        list_filter(
            {{ json_elements(json_part('definition', 'prices')) }},
            lambda price: {{ json_text('price', 'currency') }} = currency and {{ json_text('price', 'when') }} is null
        )[1] as price,
        greatest(
            coalesce(cast({{ json_text_at('quantities', json_text('definition', 'quantity')) }} as decimal(28, 10)), 1)
            - coalesce(cast({{ json_text('definition', 'included') }} as decimal(28, 10)), 0), 0
        ) as units
    from defined
    where {{ json_text('definition', 'type') }} = 'recurring'

),

-- Every model as tiers, as int_rating__tiers has them.
listed as (

    select
        * exclude (definition, quantities),
        unnest(case
            when {{ json_part('price', 'tiers') }} is not null then {{ json_elements(json_part('price', 'tiers')) }}
            else [price]
        end) as tier
    from priced

),

typed as (

    select
        * exclude (price, tier),
        {{ json_text('price', 'model') }} in ('volume', 'stairstep') as is_volume,
        cast({{ json_text('tier', 'up_to') }} as decimal(28, 10)) as upper_bound,
        cast(coalesce(
            case {{ json_text('price', 'model') }} when 'flat' then {{ json_text('tier', 'amount') }} when 'package' then {{ json_text('tier', 'package_price') }} end,
            {{ json_text('tier', 'unit_price') }}, '0'
        ) as decimal(28, 12)) as unit_price,
        cast(coalesce(
            case {{ json_text('price', 'model') }} when 'stairstep' then {{ json_text('tier', 'amount') }} end, {{ json_text('tier', 'flat_fee') }}, '0'
        ) as decimal(28, 12)) as flat_fee,
        cast({{ json_text('tier', 'package_size') }} as decimal(28, 10)) as package_size,
        coalesce(cast({{ json_text('tier', 'position') }} as integer), 0) as position
    from listed

),

bounded as (

    select
        *,
        coalesce(lag(upper_bound) over (partition by tenant_id, subscription_id, event_order, charge order by position), 0) as lower_bound
    from typed

),

-- What lies in each tier that is reached.
reached as (

    select
        *,
        case when is_volume then units else least(units, coalesce(upper_bound, units)) - lower_bound end as tier_units
    from bounded
    where
        (units > lower_bound or lower_bound = 0)
        and (not is_volume or upper_bound is null or units <= upper_bound)

),

fees as (

    select
        *,
        flat_fee + {{ multiply_exact(
            'case when package_size is null then tier_units else (' ~ to_scaled('tier_units', 10) ~ ' + ' ~ to_scaled('package_size', 10) ~ ' - 1) // ' ~ to_scaled('package_size', 10) ~ ' end',
            'unit_price'
        ) }} as fee
    from reached

),

summed as (

    select
        tenant_id,
        subscription_id,
        event_order,
        type,
        gives_nothing_back,
        length,
        sum(fee) as fee
    from fees
    group by all

),

compared as (

    select
        *,
        coalesce(fee * lag(length) over sequence < lag(fee) over sequence * length, false) as is_lower
    from summed
    window sequence as (partition by tenant_id, subscription_id order by event_order)

)

select
    tenant_id,
    subscription_id,
    event_order,
    is_lower,
    is_lower and gives_nothing_back and type in ('plan_changed', 'quantity_changed', 'overridden', 'price_migrated') as waits_for_period_end
from compared
