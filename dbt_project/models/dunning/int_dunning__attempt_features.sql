-- Attempts at invoices of which a failure was known, with the state that was known last before the attempt, and what became of them. An
-- attempt by another method is the payer's own doing and no answer to the question when to try again.
with

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

-- Money that went back within 60 days of the attempt was not recovered.
returned as (

    select
        tenant_id,
        payment_id,
        invoice_id,
        min(moved_at) as returned_at
    from {{ ref('int_payments__postings') }}
    where kind in ('reopened', 'unmatched')
    group by tenant_id, payment_id, invoice_id

)

select
    attempts.tenant_id,
    attempts.invoice_id,
    attempts.payment_id,
    attempts.state_no,
    states.customer_id,
    states.currency,
    states.first_failed_at,
    attempts.attempted_at,
    attempts.recorded_at as outcome_at,
    attempts.status = 'succeeded' and coalesce(returned.returned_at > attempts.attempted_at + interval 60 days, true) as is_recovered,
    attempts.attempted_at + interval 60 days <= clocks.known_as_of as is_closed,
    states.failure_class,
    states.failure_code,
    states.method,
    states.failures,
    states.hours_since_first_failure,
    states.amount,
    states.customer_days_known,
    states.customer_payments,
    states.customer_failures,
    states.method_attempts,
    states.method_successes,
    {{ slot_features('attempts.attempted_at', 'states.failed_at', 'states.timezone') }}
from {{ ref('int_dunning__attempts') }} as attempts
inner join {{ ref('int_dunning__recovery_states') }} as states
    on
        attempts.tenant_id = states.tenant_id
        and attempts.invoice_id = states.invoice_id
        and attempts.attempted_at > states.known_at
        and attempts.attempted_at <= coalesce(states.next_known_at, cast('9999-12-31' as timestamp with time zone))
        and lower(attempts.method) is not distinct from states.method
inner join clocks on attempts.tenant_id = clocks.tenant_id
left join returned
    on
        attempts.tenant_id = returned.tenant_id
        and attempts.payment_id = returned.payment_id
        and attempts.invoice_id = returned.invoice_id
