-- What is priced, each once: the usage of a slice, and a fee for all the slices that agree in what its price depends on. A million
-- subscriptions on one plan ask the price of a seat for a whole month once.
with

slices as (

    select * from {{ ref('int_proration__slices') }}
    where type = 'usage' and is_begun
    union all by name
    select * exclude (checkpoint_on, checked_slice_id)
    from {{ ref('int_proration__checkpoints') }}

),

charges as (

    select * from {{ ref('int_rating__charges') }}
    where type in ('recurring', 'one_time')

),

spans as (

    select * from {{ ref('int_proration__service_spans') }}
    where is_begun and charge_key in (select charge_key from charges)

),

fees as (

    select
        pricing_key,
        any_value(tenant_id) as tenant_id,
        any_value(charge_key) as charge_key,
        any_value(price_book) as price_book,
        any_value(currency) as currency,
        any_value(subscription_quantity) as subscription_quantity,
        any_value(service_units) as service_units,
        any_value(cycle_units) as cycle_units
    from spans
    group by pricing_key

)

select
    tenant_id,
    pricing_key,
    charge_key,
    type,
    price_book,
    currency,
    pricing_unit,
    cast(1 as decimal(28, 10)) as quantity,
    service_units,
    cycle_units,
    included,
    negative,
    charge_at_zero,
    splits,
    prorate_usage,
    charge_window,
    discount_percent,
    minimum,
    maximum
from slices
union all by name
select
    fees.* exclude (subscription_quantity),
    fees.subscription_quantity as quantity,
    charges.type,
    charges.pricing_unit,
    charges.included,
    charges.negative,
    charges.charge_at_zero,
    charges.splits,
    charges.prorate_usage,
    charges.charge_window,
    charges.discount_percent,
    charges.minimum,
    charges.maximum
from fees
inner join charges on fees.charge_key = charges.charge_key
