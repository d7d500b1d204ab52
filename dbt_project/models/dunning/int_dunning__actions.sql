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

-- A tenant that refunds owes what its notes gave beyond what was open.
uses as (

    select
        tenant_id,
        credit_note_id,
        sum(amount) as amount
    from {{ ref('stg_ratehouse__credit_note_uses') }}
    group by tenant_id, credit_note_id

),

refunded as (

    select
        tenant_id,
        note_id,
        sum(amount) as amount
    from {{ ref('int_payments__postings') }}
    where kind = 'returned_from_grant'
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
        cast(-notes.total - coalesce(uses.amount, 0) as decimal(20, 4)) as amount,
        -notes.total - coalesce(uses.amount, 0) <= coalesce(refunded.amount, 0) as is_done
    from {{ ref('stg_ratehouse__issued_invoices') }} as notes
    inner join {{ ref('stg_ratehouse__tenants') }} as tenants on notes.tenant_id = tenants.tenant_id
    left join uses
        on
            notes.tenant_id = uses.tenant_id
            and notes.invoice_id = uses.credit_note_id
    left join refunded
        on
            notes.tenant_id = refunded.tenant_id
            and notes.invoice_id = refunded.note_id
    where
        notes.kind = 'credit_note'
        and tenants.proration_credit = 'refund'
        and -notes.total - coalesce(uses.amount, 0) > 0

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
