-- Which events are usage of which slice: the instants between which they count, what they must look like, and how each is
-- read. A span that is measured for no slice has none; it still says who an event that names only a customer belongs to.
with

spans as (

    select * from {{ ref('int_metering__spans') }}

),

slices as (

    select * from {{ ref('int_metering__measured_slices') }}
    where checkpoint_on is null

)

select
    spans.tenant_id,
    slices.slice_id,
    spans.customer_id,
    spans.subscription_id,
    spans.price_book,
    spans.meter,
    spans.event_type,
    spans.aggregation,
    spans.property,
    spans.multiply_by,
    spans.round_each_mode,
    spans.round_each_digits,
    spans.accepts,
    spans.refuses,
    spans.dimensions,
    coalesce(slices.splits, false) as splits,
    -- What becomes of the values after they are read.
    coalesce(slices.persistent, false) as persistent,
    slices.bucket as measured_per,
    slices.over_windows,
    slices.round_mode,
    slices.round_digits,
    spans.seniority,
    spans.is_contended,
    spans.offset_us,
    spans.starts_at,
    spans.ends_at,
    -- A slice is local days; the span's offset turns them into instants.
    greatest(
        spans.starts_at, make_timestamptz(epoch_us(cast(slices.period_start as timestamp)) - spans.offset_us)
    ) as counts_from,
    least(
        spans.ends_at, make_timestamptz(epoch_us(cast(slices.last_day + 1 as timestamp)) - spans.offset_us)
    ) as counts_until
from spans
left join slices
    on
        spans.tenant_id = slices.tenant_id
        and spans.subscription_id = slices.subscription_id
        and spans.price_book = slices.price_book
        and spans.meter = slices.meter
        and spans.amount_property = slices.amount_property
        and spans.terms_no >= slices.first_terms_no
        and spans.terms_no <= slices.last_terms_no
        and spans.starts_at < make_timestamptz(epoch_us(cast(slices.last_day + 1 as timestamp)) - spans.offset_us)
        and spans.ends_at > make_timestamptz(epoch_us(cast(slices.period_start as timestamp)) - spans.offset_us)
