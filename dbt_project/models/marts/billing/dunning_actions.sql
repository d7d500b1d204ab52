with

actions as (

    select * from {{ ref('int_dunning__actions') }}

),

receivables as (

    select * from {{ ref('int_payments__receivables') }}

),

-- A charge or a retry is done when an attempt followed. One that was only begun, or given up before any money was asked for, is none; one
-- that is promised for a later day stands for it.
attempts as (

    select
        payments.tenant_id,
        payment_references.invoice_id,
        max(coalesce(payments.attempted_at, payments.recorded_at)) as attempted_at
    from {{ ref('stg_ratehouse__payments') }} as payments
    inner join {{ ref('int_payments__references') }} as payment_references
        on
            payments.tenant_id = payment_references.tenant_id
            and payments.payment_id = payment_references.payment_id
    where
        payment_references.problem is null
        and (payments.status not in ('initiated', 'cancelled') or payments.attempted_at > payments.recorded_at)
    group by payments.tenant_id, payment_references.invoice_id

)

select
    actions.tenant_id,
    actions.invoice_id,
    actions.customer_id,
    actions.currency,
    cast(coalesce(actions.amount, receivables.open_amount) as decimal(20, 4)) as amount,
    actions.pass,
    actions.step,
    actions.action,
    actions.due_at,
    actions.idempotency_key,
    cast(actions.recovery_probability as decimal(7, 6)) as recovery_probability,
    case
        when actions.action = 'refund' then case when actions.is_done then 'done' else 'due' end
        when actions.action in ('charge', 'retry') and attempts.attempted_at >= actions.due_at then 'done'
        when actions.invoice_id is not null and coalesce(receivables.open_amount, 0) = 0 and receivables.written_off_at is null then 'released'
        else 'due'
    end as status
from actions
left join receivables
    on
        actions.tenant_id = receivables.tenant_id
        and actions.invoice_id = receivables.invoice_id
left join attempts
    on
        actions.tenant_id = attempts.tenant_id
        and actions.invoice_id = attempts.invoice_id
