-- The change of posted revenue between two months, item by item: price, volume, mix, late, caught up, one-off, other in the currency of
-- the contract; in the tenant's own the same at the earlier month's average rate, and FX, what rates did. See docs/decisions/revenue.md.
{%- set drivers = ['price', 'volume', 'mix', 'late', 'catch_up', 'one_off', 'other'] %}
{%- set key = ['tenant_id', 'comparison', 'period', 'prior_period', 'customer_id', 'contract_id', 'account_role', 'charge', 'plan', 'dimensions', 'currency'] %}
with

amounts as (

    select
        *,
        obligation_id as charge,
        cast(period || '-01' as date) as month_start
    from {{ ref('int_revenue__flux_amounts') }}

),

bounds as (

    select
        amounts.tenant_id,
        min(amounts.month_start) as first_month,
        cast(date_trunc('month', {{ local_date('min(tenants.billing_as_of)', 'min(tenants.timezone)') }}) as date) as running_month
    from amounts
    inner join {{ ref('stg_ratehouse__tenants') }} as tenants on amounts.tenant_id = tenants.tenant_id
    group by amounts.tenant_id

),

-- Each amount stands on both sides: of its own month, and of the later month that is compared with it.
sides as (

    {%- for comparison, months in [('month', 1), ('year', 12)] %}
    {%- for is_prior in [false, true] %}
    select
        * exclude (period, month_start, obligation_id),
        '{{ comparison }}' as comparison,
        strftime({{ 'cast(month_start + to_months(' ~ months ~ ') as date)' if is_prior else 'month_start' }}, '%Y-%m') as period,
        strftime({{ 'month_start' if is_prior else 'cast(month_start - to_months(' ~ months ~ ') as date)' }}, '%Y-%m') as prior_period,
        {{ 1 if is_prior else 0 }} as is_prior
    from amounts
    {{ 'union all' if not (loop.last and comparison == 'year') }}
    {%- endfor %}
    {%- endfor %}

),

items as (

    select
        sides.{{ key | join(',\n        sides.') }},
        case when bool_or(sides.is_subscription) then '' else sides.contract_id end as owner,
        min(sides.minor_digits) as minor_digits,
        min(sides.functional_currency) as functional_currency,
        min(sides.functional_digits) as functional_digits,
        {%- for side, is_prior in [('prior', 1), ('now', 0)] %}
        coalesce(sum(sides.amount) filter (where is_prior = {{ is_prior }}), 0) as amount_{{ side }},
        coalesce(sum(sides.units) filter (where is_prior = {{ is_prior }} and kind = 'priced'), 0) as units_{{ side }},
        coalesce(sum(sides.amount) filter (where is_prior = {{ is_prior }} and kind = 'priced'), 0) as priced_{{ side }},
        case when bool_and(sides.functional_amount is not null) then coalesce(sum(sides.functional_amount) filter (where is_prior = {{ is_prior }}), 0) end
            as functional_{{ side }},
        {%- endfor %}
        {%- for kind in ['late', 'catch_up', 'one_off', 'other'] %}
        coalesce(sum(case when is_prior = 1 then -sides.amount else sides.amount end) filter (where kind = '{{ kind }}'), 0) as change_{{ kind }}{{ ',' if not loop.last }}
        {%- endfor %}
    from sides
    inner join bounds on sides.tenant_id = bounds.tenant_id
    where
        sides.period < strftime(bounds.running_month, '%Y-%m')
        -- The last thirteen complete months, however long the history is.
        and sides.period >= strftime(cast(bounds.running_month - to_months(13) as date), '%Y-%m')
        and sides.prior_period >= strftime(bounds.first_month, '%Y-%m')
    group by sides.{{ key | join(', sides.') }}

),

-- Units of one charge are alike, whoever buys them and on which plan; those of a stated contract are its own.
grouped as (

    select
        *,
        sum(case when units_prior <> 0 then priced_prior end) over alike as group_priced,
        sum(units_prior) over alike as group_units
    from items
    window alike as (partition by tenant_id, comparison, period, account_role, owner, charge, currency)

),

at_old_prices as (

    select
        *,
        -- What the units of now would have been at the item's own earlier price, and what the change of units is at the group's.
        case
            when units_prior <> 0 and units_now <> 0
                then try(cast({{ divide_half_up('(priced_prior * units_now * sign(units_prior))', 'greatest(abs(units_prior), 1)') }} as hugeint))
        end as units_at_own_price,
        case
            when group_units <> 0
                then try(cast({{ divide_half_up('((units_now - units_prior) * group_priced * sign(group_units))', 'greatest(abs(group_units), 1)') }} as hugeint))
        end as units_at_group_price
    from grouped

),

driven as (

    select
        *,
        case when units_at_own_price is not null then priced_now - units_at_own_price else 0 end as driver_price,
        case
            when units_prior = 0 and units_now = 0 then 0
            -- A charge that nobody had before: all of it is volume.
            else coalesce(units_at_group_price, coalesce(units_at_own_price, priced_now) - priced_prior)
        end as driver_volume
    from at_old_prices

),

mixed as (

    select
        *,
        case
            when units_prior = 0 and units_now = 0 then 0
            else priced_now - priced_prior - driver_price - driver_volume
        end as driver_mix,
        change_late as driver_late,
        change_catch_up as driver_catch_up,
        change_one_off as driver_one_off,
        change_other + case when units_prior = 0 and units_now = 0 then priced_now - priced_prior else 0 end as driver_other
    from driven

),

-- The average rate at which revenue of the currency was posted in the earlier month; without any, the closing rate of that month.
posted_rates as (

    select
        tenant_id,
        comparison,
        period,
        currency,
        sum(functional_prior) as numerator,
        sum(amount_prior) as denominator,
        bool_and(functional_prior is not null) as is_known
    from mixed
    group by tenant_id, comparison, period, currency

),

rated as (

    select
        mixed.*,
        case
            when posted_rates.is_known and posted_rates.denominator <> 0 then posted_rates.numerator * sign(posted_rates.denominator)
            else rates.numerator * {{ power_of_ten('mixed.functional_digits') }}
        end as rate_numerator,
        case
            when posted_rates.is_known and posted_rates.denominator <> 0 then abs(posted_rates.denominator)
            else rates.denominator * {{ power_of_ten('mixed.minor_digits') }}
        end as rate_denominator
    from mixed
    inner join posted_rates
        on
            mixed.tenant_id = posted_rates.tenant_id
            and mixed.comparison = posted_rates.comparison
            and mixed.period = posted_rates.period
            and mixed.currency = posted_rates.currency
    left join {{ ref('int_accounting__rates') }} as rates
        on
            mixed.tenant_id = rates.tenant_id
            and mixed.currency = rates.currency
            and last_day(cast(mixed.prior_period || '-01' as date)) >= rates.valid_from
            and last_day(cast(mixed.prior_period || '-01' as date)) < rates.valid_before

),

-- Translated cumulatively, so that the drivers of an item sum to its change at that rate.
translated as (

    select
        *,
        functional_now - functional_prior as functional_change
        {%- for driver in drivers %},
        {%- set so_far = 'driver_' ~ (drivers[:loop.index] | join(' + driver_')) %}
        try(cast({{ divide_half_up('((' ~ so_far ~ ') * rate_numerator)', 'greatest(rate_denominator, 1)') }} as hugeint)) as translated_{{ loop.index }}
        {%- endfor %}
    from rated

),

exchanged as (

    select
        *,
        functional_change - translated_{{ drivers | length }} as functional_fx
    from translated

)

select
    tenant_id,
    comparison,
    period,
    prior_period,
    customer_id,
    contract_id,
    account_role,
    charge,
    plan,
    dimensions,
    currency,
    {{ from_scaled('cast(units_prior as hugeint)', 10) }} as prior_units,
    {{ from_scaled('cast(units_now as hugeint)', 10) }} as units,
    {{ from_minor('amount_prior', 'minor_digits') }} as prior_amount,
    {{ from_minor('amount_now', 'minor_digits') }} as amount,
    {{ from_minor('amount_now - amount_prior', 'minor_digits') }} as change,
    {%- for driver in drivers %}
    {{ from_minor('driver_' ~ driver, 'minor_digits') }} as {{ driver }},
    {%- endfor %}
    functional_currency,
    {{ from_minor('functional_prior', 'functional_digits') }} as functional_prior_amount,
    {{ from_minor('functional_now', 'functional_digits') }} as functional_amount,
    {{ from_minor('functional_change', 'functional_digits') }} as functional_change,
    {%- for driver in drivers %}
    {{ from_minor('case when functional_change is not null then translated_' ~ loop.index ~ (' - translated_' ~ loop.index0 if not loop.first else '') ~ ' end', 'functional_digits') }} as functional_{{ driver }},
    {%- endfor %}
    {{ from_minor('functional_fx', 'functional_digits') }} as functional_fx
from exchanged
where amount_now <> 0 or amount_prior <> 0 or functional_change <> 0
