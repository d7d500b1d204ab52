-- What the coupons take off: discounts are should-lines of their own, one per coupon and line. Coupons apply in their order, each on
-- what the former left. A percentage is rounded on the line; an amount is shared over its lines by largest remainder.
{% set places = 8 %}
with

charges as (

    select * from {{ ref('int_invoicing__should_charges') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

eligible as (

    select
        lines.*,
        currencies.minor_digits,
        {{ power_of_ten('4 - currencies.minor_digits') }} as minor_unit,
        {{ to_scaled('lines.amount', 4) }} // {{ power_of_ten('4 - currencies.minor_digits') }} as whole,
        tenants.rounding_mode
    from {{ ref('int_discounts__eligible') }} as lines
    inner join currencies on lines.currency = currencies.currency
    inner join tenants on lines.tenant_id = tenants.tenant_id

),

left_after_0 as (

    select distinct
        tenant_id,
        rated_id,
        line_amount as amount
    from eligible

),
{% for place in range(1, places + 1) %}
weighed_{{ place }} as (

    select
        eligible.*,
        so_far.amount as base,
        cast(so_far.amount * eligible.percent * cast(0.01 as decimal(3, 2)) as {{ exact_amount() }}) as percent_exact,
        {{ to_scaled('so_far.amount', 4) }} // eligible.minor_unit as weight
    from eligible
    inner join left_after_{{ place - 1 }} as so_far
        on
            eligible.tenant_id = so_far.tenant_id
            and eligible.rated_id = so_far.rated_id
    where eligible.position = {{ place }} and so_far.amount > 0

),

reached_{{ place }} as (

    select
        *,
        sum(weight) over (partition by tenant_id, shared_by order by shared_on) as reached,
        sum(weight) over (partition by tenant_id, shared_by, shared_on) as weights
    from weighed_{{ place }}

),

-- What earlier lines did not take of the amount, over the lines that fall due together.
shared_{{ place }} as (

    select
        *,
        least(whole, reached) - least(whole, reached - weights) as share,
        (least(whole, reached) - least(whole, reached - weights)) * weight // weights as floor_share,
        (least(whole, reached) - least(whole, reached - weights)) * weight % weights as remainder
    from reached_{{ place }}

),

ranked_{{ place }} as (

    select
        *,
        floor_share + case
            when row_number() over (partition by tenant_id, shared_by, shared_on order by remainder desc, rated_id)
                <= share - sum(floor_share) over (partition by tenant_id, shared_by, shared_on)
                then 1
            else 0
        end as part
    from shared_{{ place }}

),

taken_{{ place }} as (

    select
        tenant_id,
        rated_id,
        discount_id,
        event_id,
        coupon,
        cast(case
            when percent is null then {{ from_scaled('(minor_unit * part)', 4) }}
            else least(base, {{ round_money('percent_exact', 'minor_digits', 'rounding_mode') }})
        end as decimal(20, 4)) as amount
    from ranked_{{ place }}

),

left_after_{{ place }} as (

    select
        so_far.tenant_id,
        so_far.rated_id,
        cast(so_far.amount - coalesce(taken.amount, 0) as decimal(20, 4)) as amount
    from left_after_{{ place - 1 }} as so_far
    left join taken_{{ place }} as taken
        on
            so_far.tenant_id = taken.tenant_id
            and so_far.rated_id = taken.rated_id

),
{% endfor %}
all_taken as (

    {% for place in range(1, places + 1) -%}
    select * from taken_{{ place }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    charges.* exclude (line_type, quantity, unit_price, amount, cause_event_id),
    'discount' as line_type,
    cast(-all_taken.amount as decimal(20, 4)) as amount,
    all_taken.event_id as cause_event_id,
    all_taken.coupon,
    all_taken.discount_id
from all_taken
inner join charges
    on
        all_taken.tenant_id = charges.tenant_id
        and all_taken.rated_id = charges.rated_id
where all_taken.amount > 0
