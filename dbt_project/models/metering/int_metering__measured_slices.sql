-- The usage slices with what their meter asks for, up to now where the period is still running, and once more up to every month end
-- inside them (`checkpoint_on`).
with

slices as (

    select
        *,
        cast(null as date) as checkpoint_on
    from {{ ref('int_proration__slices') }}
    where type = 'usage' and is_begun
    union all by name
    select * exclude (checked_slice_id)
    from {{ ref('int_proration__checkpoints') }}

),

meters as (

    select * from {{ ref('int_metering__meters') }}

),

amount_properties as (

    select
        charge_key,
        coalesce(max(amount_property), '') as amount_property
    from {{ ref('int_rating__prices') }}
    group by charge_key

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

)

select
    slices.tenant_id,
    slices.slice_id,
    slices.subscription_id,
    slices.price_book,
    slices.meter,
    slices.splits,
    slices.prorate_usage,
    slices.first_terms_no,
    slices.last_terms_no,
    slices.service_start,
    slices.service_end,
    slices.period_start,
    slices.period_end,
    slices.last_day,
    slices.cycle_days,
    slices.timezone,
    slices.service_start_at,
    slices.service_end_at,
    -- Nothing is known past now, so a level is not carried into the future of a running period.
    least(
        slices.service_end_at,
        greatest(tenants.billing_as_of, slices.service_start_at),
        coalesce({{ start_of_day('slices.checkpoint_on', 'slices.timezone') }}, slices.service_end_at)
    ) as measured_until,
    slices.checkpoint_on,
    amount_properties.amount_property,
    slices.charge_window is not null as prices_windows,
    coalesce(slices.charge_window, meters.meter_window) as bucket,
    meters.over_windows,
    meters.aggregation,
    meters.persistent,
    meters.reading,
    meters.per,
    meters.round_mode,
    meters.round_digits,
    meters.persistent or meters.aggregation = 'time_weighted' as carries,
    coalesce(slices.charge_at_zero, false) as prices_empty_windows
from slices
inner join tenants on slices.tenant_id = tenants.tenant_id
inner join meters
    on
        slices.tenant_id = meters.tenant_id
        and slices.price_book = meters.price_book
        and slices.meter = meters.meter
inner join amount_properties on slices.charge_key = amount_properties.charge_key
