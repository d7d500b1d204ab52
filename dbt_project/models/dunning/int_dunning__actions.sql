-- Everything that ever fell due: first charges, retries, steps, and money that a credit note promises back. A fact that comes later changes none of
-- it; a paid invoice only gets no further rows.
with

steps as (

    select
        tenant_id,
        subject_id,
        episode_no,
        invoice_id,
        customer_id,
        currency,
        cast(step_no as integer) as step,
        cast(pass_no as integer) as pass,
        action,
        billing,
        due_day,
        {{ start_of_day('due_day', 'timezone') }} + due_after as due_at
    from {{ ref('int_dunning__due_steps') }}

),

retries as (

    select
        tenant_id,
        invoice_id as subject_id,
        1 as episode_no,
        invoice_id,
        customer_id,
        currency,
        cast(retry_no as integer) as step,
        1 as pass,
        'retry' as action,
        'keep' as billing,
        due_day,
        due_at,
        recovery_probability
    from {{ ref('int_dunning__due_retries') }}

),

charges as (

    select
        tenant_id,
        invoice_id as subject_id,
        1 as episode_no,
        invoice_id,
        customer_id,
        currency,
        cast(null as integer) as step,
        1 as pass,
        'charge' as action,
        'keep' as billing,
        due_day,
        {{ start_of_day('due_day', 'timezone') }} + due_after as due_at
    from {{ ref('int_payments__due_charges') }}

),

-- What a credit note promises back that has gone out.
refunded as (

    select
        tenant_id,
        note_id,
        sum(amount) as amount
    from {{ ref('int_credits__sent_back') }}
    group by tenant_id, note_id

),

refunds as (

    select
        notes.tenant_id,
        notes.invoice_id as subject_id,
        1 as episode_no,
        notes.invoice_id,
        notes.customer_id,
        notes.currency,
        cast(null as integer) as step,
        1 as pass,
        'refund' as action,
        'keep' as billing,
        notes.bill_date as due_day,
        notes.issued_at as due_at,
        promised.refund_amount as amount,
        promised.refund_amount <= coalesce(refunded.amount, 0) as is_done
    from {{ ref('stg_ratehouse__issued_invoices') }} as notes
    inner join {{ ref('int_credits__promised_refunds') }} as promised
        on
            notes.tenant_id = promised.tenant_id
            and notes.invoice_id = promised.note_id
    left join refunded
        on
            notes.tenant_id = refunded.tenant_id
            and notes.invoice_id = refunded.note_id
    where promised.refund_amount > 0

),

actions as (

    select * from steps
    union all by name
    select * from retries
    union all by name
    select * from charges
    union all by name
    select * from refunds

)

select
    actions.*,
    md5(concat_ws('|', actions.tenant_id, actions.subject_id, actions.episode_no, actions.pass, actions.action, actions.step)) as idempotency_key
from actions
