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
        'rated.cycle_units * case when rated.cycle_months > 0 then 1 else 365 end',
        'rated.service_units * case when rated.cycle_months > 0 then rated.cycle_months else 12 * rated.cycle_days end'
    ) }} as monthly_exact
from {{ ref('int_rating__rated') }} as rated
inner join {{ ref('currencies') }} as currencies on rated.currency = currencies.currency
where rated.type = 'recurring' and rated.service_units > 0
