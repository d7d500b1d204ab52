-- What leaving a term early costs: the agreed fee, or the recurring fees that the term would still have brought.
with

early as (

    select * from {{ ref('int_subscriptions__early_terminations') }}

),

forgone as (

    select * from {{ ref('int_rating__priced') }}
    where is_forgone

),

plans as (

    select * from {{ ref('int_rating__plans') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

remaining as (

    select
        early.tenant_id,
        early.event_id,
        sum(forgone.amount) as amount
    from early
    inner join forgone
        on
            early.tenant_id = forgone.tenant_id
            and early.subscription_id = forgone.subscription_id
            and early.left_on <= forgone.service_start
            and early.term_ends_on >= forgone.service_end
    group by early.tenant_id, early.event_id

),

fees as (

    select
        early.*,
        md5(concat_ws('|', early.tenant_id, early.subscription_id, early.event_id, 'early_termination')) as slice_id,
        cast(coalesce(case early.early_termination when 'fee' then early.termination_fee else remaining.amount end, 0) as {{ exact_amount() }}) as amount_exact,
        tenants.rounding_mode,
        tenants.billing_as_of,
        currencies.minor_digits,
        plans.name as plan_name
    from early
    inner join tenants on early.tenant_id = tenants.tenant_id
    inner join currencies on early.currency = currencies.currency
    inner join plans
        on
            early.tenant_id = plans.tenant_id
            and early.price_book = plans.price_book
            and early.plan = plans.plan
    left join remaining
        on
            early.tenant_id = remaining.tenant_id
            and early.event_id = remaining.event_id

),

rounded as (

    select
        *,
        {{ round_money('amount_exact', 'minor_digits', 'rounding_mode') }} as amount
    from fees

)

select
    tenant_id,
    slice_id as rated_id,
    slice_id,
    customer_id,
    subscription_id,
    plan,
    plan_name,
    'early_termination' as charge,
    9002 as charge_position,
    'Early termination of the term to ' || cast(term_ends_on as varchar) as charge_description,
    'one_time' as type,
    cast(null as varchar) as model,
    cast(null as varchar) as meter,
    price_book,
    '' as dimensions,
    left_on as service_start,
    cast(left_on + 1 as date) as service_end,
    left_at as service_start_at,
    left_at as service_end_at,
    left_on as period_start,
    cast(left_on + 1 as date) as period_end,
    cast(1 as decimal(28, 10)) as quantity,
    cast(0 as decimal(28, 10)) as included_quantity,
    cast(null as decimal(28, 12)) as unit_price,
    cast(null as decimal(28, 12)) as minimum,
    cast(null as decimal(28, 12)) as maximum,
    cast(0 as bigint) as event_count,
    cast(null as varchar) as tax_code,
    cast(null as varchar) as gl_account,
    amount_exact,
    amount,
    amount as unlimited_amount,
    currency,
    left_on as due_on,
    left_at as due_at,
    left_at > billing_as_of as is_running,
    timezone,
    event_id as cause_event_id
from rounded
