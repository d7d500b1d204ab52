-- What every charge is owed for, and which share of its full cycle: one row per subscription, charge and service span.
-- A span is a billing period cut where the charge's own terms change. The share is service_units ÷ cycle_units, exact. What is
-- forgone was not served: it is priced to know what leaving early costs, and is no slice of any bill.
-- Kept narrow: what the charge says of itself is joined by int_proration__slices.
-- depends_on: {{ ref('int_subscriptions__changed_terms') }}
{{ config(materialized='by_subscription', changes='terms') }}
with

terms_charges as (

    select * from {{ ref('int_rating__terms_charges') }}

),

charges as (

    select * from {{ ref('int_rating__charges') }}

),

periods as {{ not_materialized() }}(

    select * from {{ ref('int_subscriptions__periods') }}

),

forgone as (

    select * from {{ ref('int_subscriptions__forgone_periods') }}

),

purchases as (

    select
        events.tenant_id,
        events.subscription_id,
        events.item_charge as charge,
        events.effective_on,
        events.effective_at,
        any_value(events.event_id) as event_id,
        sum(events.item_quantity) as quantity
    from {{ ref('int_subscriptions__events') }} as events
    inner join {{ ref('int_subscriptions__folds') }} as folds
        on
            events.tenant_id = folds.tenant_id
            and events.subscription_id = folds.subscription_id
            and events.event_order = folds.event_order
    where events.type = 'item_bought' and folds.verdict = 'accepted'
    group by all

),

-- While bills are on hold nothing falls due; what did is due at the resume.
holds as (

    select * from {{ ref('int_subscriptions__holds') }}

),

quantified as (

    select
        terms_charges.tenant_id,
        terms_charges.subscription_id,
        terms_charges.charge,
        terms_charges.terms_no,
        terms_charges.customer_id,
        terms_charges.timezone,
        terms_charges.currency,
        terms_charges.proration_method,
        terms_charges.plan,
        terms_charges.plan_name,
        terms_charges.trial_usage,
        terms_charges.price_book,
        terms_charges.charge_key,
        terms_charges.starts_at,
        terms_charges.ends_at,
        terms_charges.starts_on,
        terms_charges.ends_on,
        terms_charges.cause_event_id,
        charges.type,
        cast(coalesce(
            {{ json_text_at('terms_charges.quantities', 'charges.quantity_name') }}, '1'
        ) as decimal(28, 10)) as subscription_quantity
    from terms_charges
    inner join charges on terms_charges.charge_key = charges.charge_key

),

-- A charge whose own terms did not change is not split by a change of another.
bounded as (

    select
        *,
        lag(ends_at) over sequence is distinct from starts_at
        or lag((plan, price_book, charge_key, case when type <> 'usage' then subscription_quantity end)) over sequence
            is distinct from (plan, price_book, charge_key, case when type <> 'usage' then subscription_quantity end) as is_first,
        lead(starts_at) over sequence is distinct from ends_at
        or lead((plan, price_book, charge_key, case when type <> 'usage' then subscription_quantity end)) over sequence
            is distinct from (plan, price_book, charge_key, case when type <> 'usage' then subscription_quantity end) as is_last
    from quantified
    window sequence as (partition by tenant_id, subscription_id, charge order by terms_no)

),

merged_terms as (

    select
        * exclude (terms_no, is_first, is_last) replace (
            case when is_last then ends_at else lead(ends_at) over sequence end as ends_at,
            case when is_last then ends_on else lead(ends_on) over sequence end as ends_on
        ),
        terms_no as first_terms_no,
        case when is_last then terms_no else lead(terms_no) over sequence end as last_terms_no
    from bounded
    where is_first or is_last
    window sequence as (partition by tenant_id, subscription_id, charge order by terms_no)
    qualify is_first

),

islands as (

    select
        merged_terms.*,
        md5(concat_ws('|', merged_terms.tenant_id, merged_terms.price_book, merged_terms.charge_key, merged_terms.currency)) as fee_key,
        charges.on_demand,
        charges.timing,
        charges.proration,
        charges.on_increase,
        charges.on_decrease
    from merged_terms
    inner join charges on merged_terms.charge_key = charges.charge_key

),

spans as {{ not_materialized() }}(

    select
        islands.*,
        periods.cycle_no,
        periods.period_start,
        periods.period_end,
        periods.cycle_start,
        periods.cycle_end,
        periods.cycle_days,
        periods.cycle_months,
        periods.is_begun,
        greatest(periods.period_start, islands.starts_on) as service_start,
        least(periods.period_end, coalesce(islands.ends_on, periods.period_end)) as service_end,
        periods.is_trial,
        periods.last_day,
        periods.period_end_at,
        greatest(periods.period_start_at, islands.starts_at) as service_start_at,
        least(periods.period_end_at, islands.ends_at) as service_end_at,
        false as is_forgone
    from islands
    inner join periods
        on
            islands.tenant_id = periods.tenant_id
            and islands.subscription_id = periods.subscription_id
            -- Of all pairs few meet, and only those are written out.
            and islands.starts_at < periods.period_end_at
            and coalesce(islands.ends_at > periods.period_start_at, true)
    where
        islands.type <> 'one_time'
        and (not periods.is_trial or (islands.type = 'usage' and islands.trial_usage = 'billed'))
    union all by name
    -- What a term would still have brought, had it not been left early: the fees in force at its end, to its end.
    select
        islands.*,
        forgone.* exclude (tenant_id, subscription_id, early_termination),
        forgone.period_start as service_start,
        forgone.period_end as service_end,
        forgone.period_start_at as service_start_at,
        forgone.period_end_at as service_end_at,
        true as is_forgone
    from islands
    inner join forgone
        on
            islands.tenant_id = forgone.tenant_id
            and islands.subscription_id = forgone.subscription_id
            and islands.ends_on = forgone.left_on
    where islands.type = 'recurring' and forgone.early_termination = 'remaining'

),

-- Quantities that may only rise, or whose rise is owed for the whole period, are levelled inside the period; slices that come to the
-- same quantity are one.
levelled as (

    select
        * replace (
            case
                when on_increase = 'full' and on_decrease = 'none' then max(subscription_quantity) over period
                when on_increase = 'full' then max(subscription_quantity) over later
                when on_decrease = 'none' then max(subscription_quantity) over earlier
                else subscription_quantity
            end as subscription_quantity
        )
    from spans
    where service_start_at < service_end_at and (on_increase = 'full' or on_decrease = 'none')
    window
        period as (partition by tenant_id, subscription_id, charge, plan, price_book, charge_key, cycle_no, period_start),
        earlier as (
            partition by tenant_id, subscription_id, charge, plan, price_book, charge_key, cycle_no, period_start
            order by service_start_at rows between unbounded preceding and current row
        ),
        later as (
            partition by tenant_id, subscription_id, charge, plan, price_book, charge_key, cycle_no, period_start
            order by service_start_at rows between current row and unbounded following
        )

),

joined as (

    select
        *,
        sum(cast(is_apart as integer)) over sequence as run
    from (
        select
            *,
            lag(subscription_quantity) over sequence is distinct from subscription_quantity
            or lag(service_end_at) over sequence is distinct from service_start_at as is_apart
        from levelled
        window sequence as (
            partition by tenant_id, subscription_id, charge, plan, price_book, charge_key, cycle_no, period_start
            order by service_start_at
        )
    )
    window sequence as (
        partition by tenant_id, subscription_id, charge, plan, price_book, charge_key, cycle_no, period_start
        order by service_start_at
    )

),

merged as (

    select
        * replace (
            min(service_start) over together as service_start,
            max(service_end) over together as service_end,
            min(service_start_at) over together as service_start_at,
            max(service_end_at) over together as service_end_at,
            min(first_terms_no) over together as first_terms_no,
            max(last_terms_no) over together as last_terms_no
        )
    from joined
    window together as (
        partition by tenant_id, subscription_id, charge, plan, price_book, charge_key, cycle_no, period_start, run
    )
    qualify row_number() over (
        partition by tenant_id, subscription_id, charge, plan, price_book, charge_key, cycle_no, period_start, run
        order by service_start_at
    ) = 1

),

served as (

    select * exclude (is_apart, run) from merged
    union all by name
    select *
    from spans
    where service_start_at < service_end_at and coalesce(on_increase <> 'full' and on_decrease <> 'none', true)

),

recurring as (

    select
        *,
        -- The whole fee for a stub where nothing is prorated.
        case
            when service_start = cycle_start and service_end = cycle_end and proration_method <> 'second' then 1
            when proration_method = 'none' or proration = 'none' then 1
            when proration_method = 'second' then epoch_us(service_end_at) - epoch_us(service_start_at)
            when proration_method = 'fixed_30' and cycle_months > 0
                then 360 * (year(service_end) - year(service_start)) + 30 * (month(service_end) - month(service_start))
                    + least(day(service_end), 30) - least(day(service_start), 30)
            else datediff('day', service_start, service_end)
        end as service_units,
        case
            when service_start = cycle_start and service_end = cycle_end and proration_method <> 'second' then 1
            when proration_method = 'none' or proration = 'none' then 1
            when proration_method = 'second'
                then epoch_us({{ start_of_day('cycle_end', 'timezone') }}) - epoch_us({{ start_of_day('cycle_start', 'timezone') }})
            when proration_method = 'fixed_30' and cycle_months > 0 then 30 * cycle_months
            else cycle_days
        end as cycle_units
    from served

),

-- A one-time charge is owed once, on the day the subscription starts, unless it is for sale at any time: then whenever it is bought.
one_time_sales as (

    select
        islands.*,
        islands.starts_on as sold_on,
        islands.starts_at as sold_at
    from islands
    where islands.type = 'one_time' and not islands.on_demand and islands.first_terms_no = 1
    union all by name
    select
        islands.* replace (purchases.quantity as subscription_quantity, purchases.event_id as cause_event_id),
        purchases.effective_on as sold_on,
        purchases.effective_at as sold_at
    from islands
    inner join purchases
        on
            islands.tenant_id = purchases.tenant_id
            and islands.subscription_id = purchases.subscription_id
            and islands.charge = purchases.charge
            and islands.starts_at <= purchases.effective_at
            and (islands.ends_at is null or islands.ends_at > purchases.effective_at)
    where islands.type = 'one_time'

),

one_time as (

    select
        * exclude (sold_on, sold_at),
        0 as cycle_no,
        sold_on as period_start,
        sold_on + 1 as period_end,
        sold_on as cycle_start,
        sold_on + 1 as cycle_end,
        1 as cycle_days,
        0 as cycle_months,
        true as is_begun,
        sold_on as service_start,
        sold_on + 1 as service_end,
        sold_at as service_start_at,
        sold_at as service_end_at,
        false as is_trial,
        false as is_forgone,
        sold_on as last_day,
        sold_at as period_end_at,
        1 as service_units,
        1 as cycle_units
    from one_time_sales

),

slices as (

    select * from recurring
    union all by name
    select * from one_time

),

due as (

    select
        *,
        md5(concat_ws('|', tenant_id, subscription_id, plan, charge, service_start_at, case when is_forgone then 'forgone' end)) as slice_id,
        case
            when type = 'one_time' or timing = 'advance' then service_start
            else period_end
        end as due_on,
        case
            when type = 'one_time' or timing = 'advance' then service_start_at
            else period_end_at
        end as due_at
    from slices

)

select
    due.tenant_id,
    due.slice_id,
    due.subscription_id,
    due.customer_id,
    due.plan,
    due.plan_name,
    due.charge,
    due.price_book,
    due.charge_key,
    due.currency,
    due.timezone,
    due.subscription_quantity,
    due.first_terms_no,
    due.last_terms_no,
    due.cause_event_id,
    due.period_start,
    due.period_end,
    due.last_day,
    due.cycle_days,
    due.cycle_months,
    due.is_begun,
    due.is_forgone,
    due.service_start,
    due.service_end,
    due.service_start_at,
    due.service_end_at,
    due.service_units,
    due.cycle_units,
    due.due_on,
    coalesce(holds.ends_at, due.due_at) as due_at,
    -- Usage is its slice's own; fees that agree in all of this cost the same.
    case
        when due.type = 'usage' then due.slice_id
        else concat_ws('|', due.fee_key, due.subscription_quantity, due.service_units, due.cycle_units)
    end as pricing_key
from due
left join holds
    on
        due.tenant_id = holds.tenant_id
        and due.subscription_id = holds.subscription_id
        and due.due_at >= holds.starts_at
        and due.due_at < holds.ends_at
