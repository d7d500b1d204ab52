-- Usage of a running period that is billed before its end, because it reached the next step of the plan's `bill_at_usage`.
-- A step is passed once: the next one is the smallest above what the steps have billed already.
with

rated as (

    select * from {{ ref('int_rating__rated_charges') }}
    where type = 'usage'

),

plans as (

    select * from {{ ref('int_rating__plans') }}
    where bill_at_usage is not null

),

billed as (

    select * from {{ ref('int_invoicing__billed_slices') }}
    where discount_id = '' and (tenant_id, plan) in (select (tenant_id, plan) from plans)

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

stepped as (

    select
        rated.*,
        coalesce({{ json_text('plans.bill_at_usage', 'scope') }}, 'period') as scope,
        list_sort(cast({{ json_part('plans.bill_at_usage', 'thresholds') }} as decimal(20, 4) [])) as thresholds,
        cast({{ json_text('plans.bill_at_usage', 'recurring') }} as decimal(20, 4)) as recurring_step,
        coalesce(billed.amount, 0) as billed_amount,
        coalesce({{ json_text('plans.bill_at_usage', 'scope') }}, 'period') = 'lifetime' or rated.is_running as counts
    from rated
    inner join plans
        on
            rated.tenant_id = plans.tenant_id
            and rated.price_book = plans.price_book
            and rated.plan = plans.plan
    left join billed
        on
            rated.tenant_id = billed.tenant_id
            and rated.subscription_id = billed.subscription_id
            and rated.plan = billed.plan
            and rated.charge = billed.charge
            and rated.currency = billed.currency
            and rated.dimensions = billed.dimensions
            and rated.service_start_at = billed.slice_start_at

),

totals as (

    select
        *,
        sum(case when counts then unlimited_amount else 0 end) over together as total,
        sum(case when counts then billed_amount else 0 end) over together as billed_total
    from stepped
    window together as (
        partition by tenant_id, subscription_id, plan, case when scope = 'lifetime' then null else period_start end
    )

),

steps as (

    select
        *,
        coalesce(
            list_min(list_filter(thresholds, lambda step: step > billed_total)),
            list_max(thresholds) + recurring_step * ({{ to_scaled('(billed_total - list_max(thresholds))', 4) }} // {{ to_scaled('recurring_step', 4) }} + 1)
        ) as next_step
    from totals
    where is_running

)

select
    steps.tenant_id,
    steps.slice_id,
    steps.rated_id,
    steps.customer_id,
    steps.subscription_id,
    steps.plan,
    steps.plan_name,
    steps.charge,
    steps.charge_position,
    steps.charge_description,
    steps.type as line_type,
    steps.model,
    steps.meter,
    steps.price_book,
    steps.dimensions,
    steps.service_start_at as slice_start_at,
    least(steps.service_end_at, {{ start_of_day(local_date('tenants.billing_as_of - interval 1 microsecond', 'steps.timezone') ~ ' + 1', 'steps.timezone') }}) as slice_end_at,
    steps.service_start,
    least(steps.service_end, cast({{ local_date('tenants.billing_as_of - interval 1 microsecond', 'steps.timezone') }} + 1 as date)) as service_end,
    steps.quantity,
    steps.unit_price,
    steps.unlimited_amount as amount,
    steps.currency,
    steps.tax_code,
    steps.gl_account,
    steps.period_start,
    steps.due_on,
    steps.due_at,
    steps.cause_event_id,
    coalesce(steps.total >= steps.next_step, false) as is_due
from steps
inner join tenants on steps.tenant_id = tenants.tenant_id
