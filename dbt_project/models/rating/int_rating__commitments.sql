-- The true-up of minimum commitments: what was committed for the span, prorated and rounded, less the rounded amounts of the
-- charges it names (all but one-time ones by default); and what their sum beyond it costs more.
with

slices as (

    select * from {{ ref('int_proration__slices') }}
    where type = 'minimum' and is_begun

),

rated as (

    select * from {{ ref('int_rating__rated') }}
    where
        checkpoint_on is null
        and (tenant_id, subscription_id) in (select (tenant_id, subscription_id) from slices)

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

committed as (

    select
        slices.*,
        tenants.rounding_mode,
        tenants.billing_as_of,
        currencies.minor_digits,
        {{ prorate('slices.commitment', 'slices.service_units', 'slices.cycle_units') }} as commitment_exact
    from slices
    inner join tenants on slices.tenant_id = tenants.tenant_id
    inner join currencies on slices.currency = currencies.currency

),

promised as (

    select
        *,
        {{ round_money('commitment_exact', 'minor_digits', 'rounding_mode') }} as commitment_amount
    from committed

),

reached as (

    select
        committed.slice_id,
        coalesce(sum(rated.amount), 0) as amount
    from committed
    left join rated
        on
            committed.tenant_id = rated.tenant_id
            and committed.subscription_id = rated.subscription_id
            and committed.plan = rated.plan
            and committed.service_start <= rated.service_start
            and committed.service_end > rated.service_start
            and case
                when committed.commitment_charges is null then rated.type <> 'one_time'
                else list_contains(committed.commitment_charges, rated.charge)
            end
    group by committed.slice_id

),

lines as (

    select
        promised.*,
        'minimum' as true_up,
        cast(greatest(promised.commitment_amount - reached.amount, 0) as {{ exact_amount() }}) as amount_exact
    from promised
    inner join reached on promised.slice_id = reached.slice_id
    union all by name
    select
        promised.*,
        'overage' as true_up,
        cast(greatest(reached.amount - promised.commitment_amount, 0) * (promised.overage_factor - 1) as {{ exact_amount() }}) as amount_exact
    from promised
    inner join reached on promised.slice_id = reached.slice_id
    where promised.overage_factor > 1

),

rounded as (

    select
        *,
        {{ round_money('amount_exact', 'minor_digits', 'rounding_mode') }} as amount
    from lines

)

select
    tenant_id,
    md5(concat_ws('|', slice_id, true_up)) as rated_id,
    slice_id,
    customer_id,
    subscription_id,
    plan,
    plan_name,
    true_up as charge,
    charge_position + case true_up when 'overage' then 1 else 0 end as charge_position,
    charge_description,
    'minimum' as type,
    cast(null as varchar) as model,
    cast(null as varchar) as meter,
    price_book,
    '' as dimensions,
    service_start,
    service_end,
    service_start_at,
    service_end_at,
    period_start,
    period_end,
    cast(1 as decimal(28, 10)) as quantity,
    cast(0 as decimal(28, 10)) as included_quantity,
    cast(null as decimal(28, 12)) as unit_price,
    commitment as minimum,
    cast(null as decimal(28, 12)) as maximum,
    cast(0 as bigint) as event_count,
    tax_code,
    gl_account,
    amount_exact,
    amount,
    amount as unlimited_amount,
    currency,
    due_on,
    due_at,
    due_at > billing_as_of as is_running,
    timezone,
    cause_event_id
from rounded
