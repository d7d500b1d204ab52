-- What was known of a failed invoice, its payer and the method of payment when each failure became known. Nothing recorded at that instant
-- or later has a part in it, except the failure itself, so a state is the same however much comes afterwards.
with

attempts as (

    select * from {{ ref('int_dunning__attempts') }}

),

invoices as (

    select distinct
        tenant_id,
        invoice_id,
        customer_id,
        currency,
        timezone
    from {{ ref('int_dunning__open_spans') }}

),

-- Outcomes of payments, each once, with who pays.
outcomes as (

    select
        payments.tenant_id,
        payments.payment_id,
        payments.state_no,
        payments.recorded_at,
        payments.status,
        lower(payments.method) as method,
        coalesce(min(payment_references.account_id), any_value(payments.customer_id)) as customer_id
    from {{ ref('stg_ratehouse__payment_states') }} as payments
    inner join {{ ref('int_payments__references') }} as payment_references
        on
            payments.tenant_id = payment_references.tenant_id
            and payments.payment_id = payment_references.payment_id
    where payments.status in ('failed', 'succeeded')
    group by payments.tenant_id, payments.payment_id, payments.state_no, payments.recorded_at, payments.status, lower(payments.method)

),

histories as (

    select
        tenant_id,
        payment_id,
        state_no,
        min(recorded_at) over of_customer as customer_known_since,
        count(*) filter (where status = 'succeeded') over of_customer as customer_payments,
        count(*) filter (where status = 'failed') over of_customer as customer_failures,
        count(*) over of_method as method_attempts,
        count(*) filter (where status = 'succeeded') over of_method as method_successes
    from outcomes
    window
        of_customer as (
            partition by tenant_id, customer_id
            order by recorded_at range between unbounded preceding and interval 1 microsecond preceding
        ),
        of_method as (
            partition by tenant_id, method
            order by recorded_at range between interval 28 days preceding and interval 1 microsecond preceding
        )

),

failures as (

    select
        *,
        row_number() over in_order as failures,
        min(attempted_at) over in_order as first_failed_at,
        -- Failures of this invoice that are among those of its payer.
        count(*) over before_it as earlier_failures,
        lead(recorded_at) over in_order as next_known_at
    from attempts
    where status = 'failed'
    window
        in_order as (partition by tenant_id, invoice_id order by recorded_at, attempted_at, payment_id, state_no),
        before_it as (
            partition by tenant_id, invoice_id
            order by recorded_at range between unbounded preceding and interval 1 microsecond preceding
        )

)

select
    failures.tenant_id,
    failures.invoice_id,
    failures.failures,
    invoices.customer_id,
    invoices.currency,
    invoices.timezone,
    failures.recorded_at as known_at,
    failures.next_known_at,
    failures.attempted_at as failed_at,
    failures.first_failed_at,
    failures.failure_class,
    failures.failure_code,
    lower(failures.method) as method,
    cast(failures.amount as decimal(20, 4)) as amount,
    {{ hours_between('failures.first_failed_at', 'failures.attempted_at') }} as hours_since_first_failure,
    cast(coalesce({{ hours_between('histories.customer_known_since', 'failures.recorded_at') }} // 24, 0) as bigint) as customer_days_known,
    histories.customer_payments,
    greatest(histories.customer_failures - failures.earlier_failures, 0) as customer_failures,
    histories.method_attempts,
    histories.method_successes
from failures
inner join invoices
    on
        failures.tenant_id = invoices.tenant_id
        and failures.invoice_id = invoices.invoice_id
inner join histories
    on
        failures.tenant_id = histories.tenant_id
        and failures.payment_id = histories.payment_id
        and failures.state_no = histories.state_no
