-- What obligations earned in their own month by what is known now, and how many units of them that was: what was used; a recurring fee's
-- quantity times the months of it that were earned, at the fee's own monthly price; of a stated contract the share of the obligation
-- that was transferred. So units move with service and quantity, never with a price. What has no units says what it is.
{{ config(materialized='view') }}
with

lines as (

    select * from {{ ref('stg_ratehouse__issued_invoice_lines') }}

),

charges as (

    select distinct
        tenant_id,
        subscription_id,
        charge,
        type
    from {{ ref('int_proration__slices') }}

),

rated as (

    select * from {{ ref('int_rating__rated') }}
    where type = 'recurring' and checkpoint_on is null and service_units > 0

),

-- The monthly price of one unit of a recurring fee holds until the next slice of it.
fees as (

    select
        rated.tenant_id,
        rated.subscription_id,
        rated.plan,
        rated.charge,
        rated.service_start,
        max(coalesce(nullif(rated.quantity, 0), 1)) as quantity,
        max(fees.monthly_exact) as monthly_exact
    from rated
    inner join {{ ref('int_rating__monthly_fees') }} as fees
        on
            rated.tenant_id = fees.tenant_id
            and rated.rated_id = fees.rated_id
    where fees.monthly_exact > 0
    group by rated.tenant_id, rated.subscription_id, rated.plan, rated.charge, rated.service_start

),

prices as (

    select
        * exclude (service_start),
        case
            when lag(service_start) over slices is null then date '0001-01-01'
            else service_start
        end as valid_from,
        coalesce(lead(service_start) over slices, date '9999-12-31') as valid_before
    from fees
    window slices as (partition by tenant_id, subscription_id, plan, charge order by service_start)

),

named as (

    select
        items.tenant_id,
        items.subscription_id,
        items.item_id,
        items.charge,
        items.starts_on,
        coalesce(lines.plan, rated.plan) as plan,
        coalesce(lines.dimensions, '') as dimensions,
        case
            when items.item_id like 'start|%' then 'other'
            when coalesce(lines.discount_id, '') <> '' then 'priced'
            when lines.line_type in ('credit', 'one_time') or lines.adjustment_id is not null or charges.type = 'one_time' then 'one_off'
            when lines.line_type = 'minimum' or charges.type = 'minimum' then 'other'
            else 'priced'
        end as kind,
        coalesce(lines.discount_id, '') = '' as is_fee
    from {{ ref('int_revenue__items') }} as items
    left join lines
        on
            items.tenant_id = lines.tenant_id
            and items.item_id = lines.line_id
    left join rated
        on
            items.tenant_id = rated.tenant_id
            and items.item_id = rated.rated_id
    left join charges
        on
            items.tenant_id = charges.tenant_id
            and items.subscription_id = charges.subscription_id
            and items.charge = charges.charge

),

by_days as (

    select
        schedules.tenant_id,
        schedules.contract_id,
        schedules.obligation_id,
        schedules.period,
        coalesce(named.plan, '') as plan,
        named.dimensions,
        named.kind,
        schedules.recognised as earned,
        case
            when named.kind = 'priced' and named.is_fee and prices.monthly_exact is not null
                then try({{ divide_half_up(
                    'cast(schedules.recognised as hugeint) * ' ~ to_scaled('prices.quantity', 10) ~ ' * ' ~ 10 ** 6,
                    'greatest(' ~ to_scaled('cast(prices.monthly_exact as decimal(38, 6))', 6) ~ ' * ' ~ power_of_ten('schedules.minor_digits') ~ ', 1)'
                ) }})
        end as units
    from {{ ref('int_revenue__line_schedules') }} as schedules
    inner join named
        on
            schedules.tenant_id = named.tenant_id
            and schedules.contract_id = named.subscription_id
            and schedules.item_id = named.item_id
    left join prices
        on
            named.tenant_id = prices.tenant_id
            and named.subscription_id = prices.subscription_id
            and named.plan = prices.plan
            and named.charge = prices.charge
            and named.starts_on >= prices.valid_from
            and named.starts_on < prices.valid_before
    where schedules.recognise <> 'as_invoiced'

),

by_use as (

    select
        usage.tenant_id,
        usage.subscription_id as contract_id,
        usage.charge as obligation_id,
        strftime(usage.as_of, '%Y-%m') as period,
        coalesce(usage.plan, '') as plan,
        coalesce(usage.dimensions, '') as dimensions,
        'priced' as kind,
        usage.amount_to_date - coalesce(lag(usage.amount_to_date) over item, 0) as earned,
        cast({{ to_scaled('usage.quantity_to_date', 10) }} - coalesce(lag({{ to_scaled('usage.quantity_to_date', 10) }}) over item, 0) as hugeint) as units
    from {{ ref('int_revenue__usage') }} as usage
    window item as (partition by usage.tenant_id, usage.subscription_id, usage.charge, usage.item_id order by usage.as_of)

),

-- The share of an obligation that was transferred in the month, whatever it costs; a change of its price for the past is no transfer.
stated as (

    select
        tenant_id,
        contract_id,
        obligation_id,
        period,
        '' as plan,
        '' as dimensions,
        case when recognise = 'as_invoiced' then 'other' else 'priced' end as kind,
        recognised - prior_performance - breakage as earned,
        case
            when recognise <> 'as_invoiced' and allocated <> 0
                then try({{ divide_half_up('cast(recognised - prior_performance - breakage as hugeint) * sign(allocated) * ' ~ 10 ** 10, 'greatest(abs(allocated), 1)') }})
        end as units
    from {{ ref('int_revenue__schedules') }}
    union all
    select
        tenant_id,
        contract_id,
        obligation_id,
        period,
        '' as plan,
        '' as dimensions,
        'one_off' as kind,
        recognised as earned,
        cast(null as hugeint) as units
    from {{ ref('int_revenue__dated_schedules') }}
    where posting_period = period
    union all
    select
        tenant_id,
        contract_id,
        obligation_id,
        period,
        '' as plan,
        '' as dimensions,
        'other' as kind,
        recognised as earned,
        cast(null as hugeint) as units
    from {{ ref('int_revenue__financing') }}

)

select
    tenant_id,
    contract_id,
    obligation_id,
    period,
    plan,
    dimensions,
    kind,
    cast(sum(earned) as hugeint) as earned,
    cast(coalesce(sum(units), 0) as hugeint) as units
from (
    select * from by_days
    union all
    select * from by_use
    union all
    select * from stated
) as every
group by tenant_id, contract_id, obligation_id, period, plan, dimensions, kind
having sum(earned) <> 0 or sum(units) <> 0
