-- Attempts to collect an invoice whose outcome is known, and the invoice each was for.
with

payment_states as (

    select
        *,
        coalesce(attempted_at, recorded_at) as tried_at
    from {{ ref('stg_ratehouse__payment_states') }}
    where status in ('failed', 'succeeded')

),

spans as (

    select * from {{ ref('int_dunning__open_spans') }}

),

-- In the order in which they became known. One that names no document was for what was due first of what was open.
failures as (

    select
        payment_references.tenant_id,
        payment_references.invoice_id,
        payments.payment_id,
        payments.state_no
    from payment_states as payments
    inner join {{ ref('int_payments__references') }} as payment_references
        on
            payments.tenant_id = payment_references.tenant_id
            and payments.payment_id = payment_references.payment_id
    inner join spans
        on
            payment_references.tenant_id = spans.tenant_id
            and payment_references.invoice_id = spans.invoice_id
            and (
                payment_references.rule <> 'oldest_due'
                or (
                    spans.opened_at <= payments.recorded_at
                    and payments.recorded_at < coalesce(spans.closed_at, cast('9999-12-31' as timestamp with time zone))
                )
            )
    where payments.status = 'failed' and payment_references.problem is null
    qualify row_number() over (
        partition by
            payments.tenant_id, payments.payment_id, payments.state_no,
            case when payment_references.rule <> 'oldest_due' then payment_references.invoice_id end
        order by spans.due_on, payment_references.invoice_id, spans.opened_at
    ) = 1

),

-- Money that came is for what it was applied to.
successes as (

    select distinct
        payments.tenant_id,
        postings.invoice_id,
        payments.payment_id,
        payments.state_no
    from payment_states as payments
    inner join {{ ref('int_payments__postings') }} as postings
        on
            payments.tenant_id = postings.tenant_id
            and payments.payment_id = postings.payment_id
    where payments.status = 'succeeded' and postings.kind = 'applied'

),

attempts as (

    select * from failures
    union all
    select * from successes

)

select
    attempts.tenant_id,
    attempts.invoice_id,
    attempts.payment_id,
    attempts.state_no,
    payments.status,
    payments.recorded_at,
    payments.tried_at as attempted_at,
    payments.method,
    payments.failure_class,
    payments.failure_code,
    payments.amount,
    payments.currency
from attempts
inner join payment_states as payments
    on
        attempts.tenant_id = payments.tenant_id
        and attempts.payment_id = payments.payment_id
        and attempts.state_no = payments.state_no
