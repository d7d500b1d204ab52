-- What every charge is owed for, and which share of its full cycle: one row per subscription, charge and service span.
-- A span is a billing period cut where the charge's own terms change. The share is service_units ÷ cycle_units, exact.
with

terms_charges as (

    select * from {{ ref('int_rating__terms_charges') }}

),

charges as (

    select * from {{ ref('int_rating__charges') }}

),

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

quantified as (

    select
        terms_charges.*,
        charges.* exclude (charge_key, position, description),
        charges.position as charge_position,
        charges.description as charge_description,
        cast(coalesce(
            {{ json_text_at('terms_charges.quantities', 'charges.quantity_name') }}, '1'
        ) as decimal(28, 10)) as subscription_quantity
    from terms_charges
    inner join charges on terms_charges.charge_key = charges.charge_key

),

-- A charge whose own terms did not change is not split by a change of another.
flagged as (

    select
        *,
        lag((plan, price_book, charge_key, case when type <> 'usage' then subscription_quantity end)) over sequence
            is distinct from (plan, price_book, charge_key, case when type <> 'usage' then subscription_quantity end)
        or lag(ends_at) over sequence is distinct from starts_at as is_new_island
    from quantified
    window sequence as (partition by tenant_id, subscription_id, charge order by terms_no)

),

numbered as (

    select
        *,
        sum(cast(is_new_island as integer)) over (
            partition by tenant_id, subscription_id, charge order by terms_no
        ) as island
    from flagged

),

islands as (

    select
        tenant_id,
        subscription_id,
        charge,
        island,
        any_value(columns(* exclude (tenant_id, subscription_id, charge, island, terms_no, starts_at, ends_at, starts_on, ends_on, is_new_island, quantities, cause_event_id))),
        min(terms_no) as first_terms_no,
        max(terms_no) as last_terms_no,
        min_by(cause_event_id, terms_no) as cause_event_id,
        min(starts_at) as starts_at,
        min(starts_on) as starts_on,
        case when bool_or(ends_at is null) then null else max(ends_at) end as ends_at,
        case when bool_or(ends_on is null) then null else max(ends_on) end as ends_on
    from numbered
    group by tenant_id, subscription_id, charge, island

),

spans as (

    select
        islands.*,
        periods.period_start,
        periods.period_end,
        periods.cycle_start,
        periods.cycle_end,
        periods.cycle_days,
        periods.cycle_months,
        periods.interval,
        periods.is_begun,
        greatest(periods.period_start, islands.starts_on) as service_start,
        least(periods.period_end, coalesce(islands.ends_on, periods.period_end)) as service_end,
        greatest({{ start_of_day('periods.period_start', 'islands.timezone') }}, islands.starts_at) as service_start_at,
        least({{ start_of_day('periods.period_end', 'islands.timezone') }}, islands.ends_at) as service_end_at
    from islands
    inner join periods
        on
            islands.tenant_id = periods.tenant_id
            and islands.subscription_id = periods.subscription_id
    where islands.type <> 'one_time'

),

recurring as (

    select
        * exclude (island),
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
    from spans
    where service_start_at < service_end_at

),

-- A one-time charge is owed once, on the day the subscription starts.
one_time as (

    select
        * exclude (island),
        starts_on as period_start,
        starts_on + 1 as period_end,
        starts_on as cycle_start,
        starts_on + 1 as cycle_end,
        1 as cycle_days,
        0 as cycle_months,
        'once' as interval,
        true as is_begun,
        starts_on as service_start,
        starts_on + 1 as service_end,
        starts_at as service_start_at,
        starts_at as service_end_at,
        1 as service_units,
        1 as cycle_units
    from islands
    where type = 'one_time' and not on_demand and first_terms_no = 1

),

slices as (

    select * from recurring
    union all by name
    select * from one_time

)

select
    *,
    md5(concat_ws('|', tenant_id, subscription_id, plan, charge, service_start_at)) as slice_id,
    case
        when type = 'one_time' or timing = 'advance' then service_start
        else period_end
    end as due_on,
    case
        when type = 'one_time' or timing = 'advance' then service_start_at
        else {{ start_of_day('period_end', 'timezone') }}
    end as due_at
from slices
