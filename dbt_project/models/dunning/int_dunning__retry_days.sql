-- When each retry of the schedule is due. Its fixed time is so many days after the local day of the first failed attempt; a plan that was
-- known before it moves the retry, within its place: from its fixed time to before the fixed day of the next.
with

policies as (

    select * from {{ ref('int_dunning__policies') }}
    where len(retry_days) > 0

),

invoices as (

    select distinct
        tenant_id,
        invoice_id,
        timezone,
        segment,
        due_after,
        today
    from {{ ref('int_dunning__open_spans') }}

),

plans as (

    select * from {{ ref('stg_ratehouse__retry_plans') }}

),

firsts as (

    select
        invoices.tenant_id,
        invoices.invoice_id,
        invoices.timezone,
        invoices.segment,
        invoices.due_after,
        invoices.today,
        {{ local_date('min(attempts.attempted_at)', 'invoices.timezone') }} as failed_on
    from {{ ref('int_dunning__attempts') }} as attempts
    inner join invoices
        on
            attempts.tenant_id = invoices.tenant_id
            and attempts.invoice_id = invoices.invoice_id
    where attempts.status = 'failed'
    group by invoices.tenant_id, invoices.invoice_id, invoices.timezone, invoices.segment, invoices.due_after, invoices.today

),

days as (

    select
        firsts.*,
        unnest(policies.retry_days) as after_days,
        generate_subscripts(policies.retry_days, 1) as retry_no,
        policies.max_attempts,
        policies.is_planned
    from firsts
    inner join policies
        on
            firsts.tenant_id = policies.tenant_id
            and firsts.segment = policies.segment

),

placed as (

    select
        *,
        cast(failed_on + after_days as date) as fixed_on,
        {{ start_of_day('failed_on + after_days', 'timezone') }} + due_after as fixed_at,
        -- The last one has as many days as lie before it.
        cast(failed_on + coalesce(
            lead(after_days) over in_order,
            after_days + after_days - coalesce(lag(after_days) over in_order, 0)
        ) as date) as next_fixed_on
    from days
    window in_order as (partition by tenant_id, invoice_id order by retry_no)

),

allowed as (

    select * from placed
    where retry_no <= coalesce(max_attempts, retry_no)

)

select
    allowed.tenant_id,
    allowed.invoice_id,
    allowed.retry_no,
    allowed.timezone,
    allowed.today,
    allowed.segment,
    allowed.due_after,
    allowed.is_planned,
    allowed.fixed_on,
    allowed.fixed_at,
    allowed.next_fixed_on,
    coalesce({{ local_date('plans.retry_at', 'allowed.timezone') }}, allowed.fixed_on) as due_day,
    coalesce(plans.retry_at, allowed.fixed_at) as due_at,
    case when plans.reason = 'model' then plans.probability end as recovery_probability
from allowed
left join plans
    on
        allowed.is_planned
        and allowed.tenant_id = plans.tenant_id
        and allowed.invoice_id = plans.invoice_id
        and allowed.retry_no = plans.retry_no
        and allowed.fixed_at > plans.recorded_at
        and allowed.fixed_at <= plans.retry_at
        and allowed.next_fixed_on > {{ local_date('plans.retry_at', 'allowed.timezone') }}
