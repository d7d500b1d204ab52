-- What came of each plan: money applied to the invoice from the plan to the next one, or to 30 days after the first failure, however it was
-- paid, less what went back within 60 days, less the cost of the attempts. A payer who pays by himself meanwhile counts alike for every time.
with

plans as (

    select * from {{ ref('stg_ratehouse__retry_plans') }}
    where slots is not null and propensity > 0

),

firsts as (

    select
        tenant_id,
        invoice_id,
        min(first_failed_at) as first_failed_at
    from {{ ref('int_dunning__recovery_states') }}
    group by tenant_id, invoice_id

),

spans as (

    select
        plans.*,
        firsts.first_failed_at,
        coalesce(
            lead(plans.recorded_at) over (partition by plans.tenant_id, plans.invoice_id order by plans.retry_no),
            firsts.first_failed_at + interval 30 days
        ) as judged_until
    from plans
    inner join firsts
        on
            plans.tenant_id = firsts.tenant_id
            and plans.invoice_id = firsts.invoice_id

),

postings as (

    select * from {{ ref('int_payments__postings') }}

),

paid as (

    select
        spans.tenant_id,
        spans.plan_id,
        postings.payment_id,
        spans.invoice_id,
        sum(postings.amount) as amount,
        max(postings.moved_at) as paid_at
    from spans
    inner join postings
        on
            spans.tenant_id = postings.tenant_id
            and spans.invoice_id = postings.invoice_id
            and spans.recorded_at < postings.moved_at
            and spans.judged_until >= postings.moved_at
    where postings.kind = 'applied'
    group by spans.tenant_id, spans.plan_id, postings.payment_id, spans.invoice_id

),

returned as (

    select
        paid.tenant_id,
        paid.plan_id,
        paid.payment_id,
        sum(postings.amount) as amount
    from paid
    inner join postings
        on
            paid.tenant_id = postings.tenant_id
            and paid.invoice_id = postings.invoice_id
            and paid.payment_id = postings.payment_id
            and paid.paid_at + interval 60 days >= postings.moved_at
    where postings.kind in ('reopened', 'unmatched')
    group by paid.tenant_id, paid.plan_id, paid.payment_id

),

recovered as (

    select
        paid.tenant_id,
        paid.plan_id,
        sum(greatest(paid.amount - coalesce(returned.amount, 0), 0)) as amount
    from paid
    left join returned
        on
            paid.tenant_id = returned.tenant_id
            and paid.plan_id = returned.plan_id
            and paid.payment_id = returned.payment_id
    group by paid.tenant_id, paid.plan_id

),

tried as (

    select
        spans.tenant_id,
        spans.plan_id,
        count(*) as attempt_count
    from spans
    inner join {{ ref('int_dunning__attempts') }} as attempts
        on
            spans.tenant_id = attempts.tenant_id
            and spans.invoice_id = attempts.invoice_id
            and spans.recorded_at < attempts.attempted_at
            and spans.judged_until >= attempts.attempted_at
    group by spans.tenant_id, spans.plan_id

)

select
    spans.tenant_id,
    spans.plan_id,
    spans.invoice_id,
    spans.customer_id,
    spans.currency,
    spans.retry_no,
    spans.first_failed_at,
    spans.recorded_at as planned_at,
    spans.retry_at,
    spans.slot_no,
    spans.planned_slot_no,
    spans.arm,
    spans.reason,
    spans.propensity,
    spans.random_share,
    spans.fixed_share,
    spans.probability,
    spans.open_amount,
    spans.retry_cost,
    spans.model,
    spans.slots,
    cast(coalesce(recovered.amount, 0) - spans.retry_cost * coalesce(tried.attempt_count, 0) as decimal(20, 4)) as recovered_value,
    -- Invoices are judged by the clock of their first failure, paid or not.
    spans.first_failed_at + interval 90 days <= clocks.known_as_of as is_closed
from spans
inner join {{ ref('stg_ratehouse__tenant_clocks') }} as clocks on spans.tenant_id = clocks.tenant_id
left join recovered
    on
        spans.tenant_id = recovered.tenant_id
        and spans.plan_id = recovered.plan_id
left join tried
    on
        spans.tenant_id = tried.tenant_id
        and spans.plan_id = tried.plan_id
