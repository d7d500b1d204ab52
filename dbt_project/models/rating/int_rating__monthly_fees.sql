-- What a recurring fee comes to in a month while its slice runs: its amount over the whole cycle, brought from the cycle to a month.
-- A month is a twelfth of 365 days. A slice of a part of its cycle stands for the whole of it.
select
    rated.tenant_id,
    rated.customer_id,
    rated.subscription_id,
    rated.rated_id,
    rated.service_start,
    rated.service_end,
    rated.currency,
    currencies.minor_digits,
    {{ prorate(
        'rated.amount_exact',
        'slices.cycle_units * case when slices.cycle_months > 0 then 1 else 365 end',
        'slices.service_units * case when slices.cycle_months > 0 then slices.cycle_months else 12 * slices.cycle_days end'
    ) }} as monthly_exact
from {{ ref('int_rating__rated') }} as rated
inner join {{ ref('int_proration__slices') }} as slices on rated.slice_id = slices.slice_id
inner join {{ ref('currencies') }} as currencies on rated.currency = currencies.currency
where rated.type = 'recurring' and slices.service_units > 0
