-- Charges and refunds that are due and not settled, with what holds them. One row per invoice to be charged, one per payment to be refunded.
--
-- The serving file is as old as its build, the facts are not: an action waits while they tell of a payment that the file may not know.
with

tenants as (

    select
        tenant_id,
        known_as_of,
        document ->> '$.collection.gateway' as gateway
    from marts.tenants
    where document ->> '$.collection.gateway' is not null

),

actions as (

    select
        actions.*,
        tenants.gateway,
        tenants.known_as_of
    from marts.dunning_actions as actions
    inner join tenants on actions.tenant_id = tenants.tenant_id
    where actions.status = 'due' and actions.amount > 0

),

-- How each payment and refund stands, as it was told last.
standing_payments as (

    select *
    from payments
    qualify row_number() over (
        partition by tenant_id, payment_id
        order by
            recorded_at desc,
            case status when 'initiated' then 0 when 'processing' then 1 when 'unknown' then 2 else 3 end desc, batch_id desc
    ) = 1

),

standing_refunds as (

    select *
    from refunds
    qualify row_number() over (partition by tenant_id, refund_id order by recorded_at desc, batch_id desc) = 1

),

-- 1. Charges: of several actions about one invoice the last.
wanted as (

    select
        actions.tenant_id,
        actions.idempotency_key,
        actions.invoice_id,
        actions.customer_id,
        actions.currency,
        actions.amount,
        actions.due_at,
        actions.gateway,
        invoices.invoice_number,
        invoices.status as invoice_status,
        customers.payment_method
    from actions
    inner join marts.invoices as invoices
        on
            actions.tenant_id = invoices.tenant_id
            and actions.invoice_id = invoices.invoice_id
    left join marts.customers as customers
        on
            actions.tenant_id = customers.tenant_id
            and actions.customer_id = customers.customer_id
    where actions.action in ('charge', 'retry')
    qualify row_number() over (
        partition by actions.tenant_id, actions.invoice_id order by actions.due_at desc, actions.idempotency_key
    ) = 1

),

-- What was told of payments that may pay the invoice: they name it, or they name nothing and are the customer's.
names as (

    select
        tenant_id,
        payment_id,
        unnest([invoice_id, invoice_number, reference]) as name
    from standing_payments

),

candidates as (

    select wanted.tenant_id, wanted.invoice_id, names.payment_id, true as is_named
    from wanted
    inner join names on wanted.tenant_id = names.tenant_id and wanted.invoice_id = names.name
    union
    select wanted.tenant_id, wanted.invoice_id, names.payment_id, true as is_named
    from wanted
    inner join names on wanted.tenant_id = names.tenant_id and wanted.invoice_number = names.name
    union
    select wanted.tenant_id, wanted.invoice_id, payments.payment_id, false as is_named
    from wanted
    inner join standing_payments as payments
        on wanted.tenant_id = payments.tenant_id and wanted.customer_id = payments.customer_id
    where payments.invoice_id is null and payments.invoice_number is null and payments.reference is null

),

told as (

    select
        candidates.tenant_id,
        candidates.invoice_id,
        bool_or(is_named and payments.status in ('processing', 'unknown')) as is_on_its_way,
        bool_or(is_named and payments.status = 'initiated' and payments.attempted_at > $now) as is_promised,
        bool_or(is_named and payments.status = 'succeeded' and allocations.payment_id is null) as is_not_applied,
        bool_or(
            not is_named and payments.status in ('processing', 'unknown', 'succeeded') and payments.recorded_at > tenants.known_as_of
        ) as is_news
    from candidates
    inner join tenants on candidates.tenant_id = tenants.tenant_id
    inner join standing_payments as payments
        on
            candidates.tenant_id = payments.tenant_id
            and candidates.payment_id = payments.payment_id
    left join marts.payment_allocations as allocations
        on
            candidates.tenant_id = allocations.tenant_id
            and candidates.payment_id = allocations.payment_id
            and candidates.invoice_id = allocations.invoice_id
    group by all

),

-- An attempt that was made stands for every action that had fallen due by then.
made as (

    select
        tenant_id,
        subject as invoice_id,
        max(claimed_at) filter (state <> 'absent') as attempted_at,
        max(last_telling_no) as last_telling_no
    from attempts
    where kind = 'charge'
    group by all

),

charges as (

    select
        wanted.tenant_id,
        'charge' as kind,
        wanted.idempotency_key,
        wanted.invoice_id as subject,
        cast(null as varchar) as payment_id,
        wanted.invoice_id,
        wanted.invoice_number,
        wanted.customer_id,
        wanted.currency,
        wanted.amount,
        wanted.due_at,
        wanted.gateway,
        wanted.payment_method ->> '$.customer_id' as gateway_customer_id,
        wanted.payment_method ->> '$.method_id' as gateway_method_id,
        case
            when wanted.invoice_status not in ('issued', 'partially_paid') then 'the invoice is ' || wanted.invoice_status
            when told.is_on_its_way then 'a payment is on its way, or its fate unknown'
            when told.is_promised then 'a payment is promised'
            when told.is_not_applied or told.is_news then 'a payment is not in the serving file yet'
            when wanted.payment_method ->> '$.gateway' is distinct from wanted.gateway
                or wanted.payment_method ->> '$.customer_id' is null or wanted.payment_method ->> '$.method_id' is null
                then 'the customer has no payment method of ' || wanted.gateway
        end as held_by
    from wanted
    left join told
        on
            wanted.tenant_id = told.tenant_id
            and wanted.invoice_id = told.invoice_id
    left join made
        on
            wanted.tenant_id = made.tenant_id
            and wanted.invoice_id = made.invoice_id
    where made.attempted_at is null or made.attempted_at < wanted.due_at

),

-- 2. Refunds: what a note promises back is taken from the payments of the invoices that it corrects, the last first.
corrected as (

    select distinct
        notes.tenant_id,
        notes.invoice_id as note_id,
        lines.invoice_id
    from marts.invoice_lines as notes
    inner join marts.invoice_lines as lines
        on
            notes.tenant_id = lines.tenant_id
            and notes.corrects_line_id = lines.line_id

),

returned as (

    select
        tenant_id,
        payment_id,
        sum(amount) filter (status is null or status not in ('failed', 'cancelled')) as amount,
        max(recorded_at) filter (source is distinct from 'collection') as told_at
    from standing_refunds
    group by all

),

sources as (

    select
        actions.tenant_id,
        actions.idempotency_key as action_key,
        md5(concat_ws('|', actions.idempotency_key, allocations.payment_id)) as idempotency_key,
        actions.invoice_id,
        actions.customer_id,
        actions.currency,
        actions.amount as promised,
        actions.due_at,
        actions.gateway,
        allocations.payment_id,
        max(allocations.allocated_at) as allocated_at,
        least(sum(allocations.amount), any_value(payments.amount) - coalesce(any_value(returned.amount), 0)) as refundable,
        coalesce(any_value(returned.told_at) > any_value(actions.known_as_of), false) as is_news
    from actions
    inner join corrected
        on
            actions.tenant_id = corrected.tenant_id
            and actions.invoice_id = corrected.note_id
    inner join marts.payment_allocations as allocations
        on
            corrected.tenant_id = allocations.tenant_id
            and corrected.invoice_id = allocations.invoice_id
    inner join standing_payments as payments
        on
            allocations.tenant_id = payments.tenant_id
            and allocations.payment_id = payments.payment_id
            and actions.gateway = payments.provider
            and payments.status = 'succeeded'
    left join returned
        on
            payments.tenant_id = returned.tenant_id
            and payments.payment_id = returned.payment_id
    where actions.action = 'refund'
    group by
        actions.tenant_id, actions.idempotency_key, actions.invoice_id, actions.customer_id, actions.currency, actions.amount,
        actions.due_at, actions.gateway, allocations.payment_id

),

given as (

    select
        sources.*,
        attempts.state,
        sum(case when attempts.state in ('succeeded', 'processing', 'unknown') then attempts.amount else 0 end)
            over (partition by sources.tenant_id, sources.action_key) as given_amount
    from sources
    left join attempts
        on
            sources.tenant_id = attempts.tenant_id
            and sources.idempotency_key = attempts.idempotency_key
            and attempts.kind = 'refund'

),

split as (

    select
        *,
        promised - given_amount - coalesce(sum(refundable) over (
            partition by tenant_id, action_key order by allocated_at desc, payment_id
            rows between unbounded preceding and 1 preceding
        ), 0) as wanted_amount
    from given
    where state is null or state = 'absent'

),

refunds_due as (

    select
        split.tenant_id,
        'refund' as kind,
        split.idempotency_key,
        split.payment_id as subject,
        split.payment_id,
        split.invoice_id,
        invoices.invoice_number,
        split.customer_id,
        split.currency,
        cast(least(split.refundable, split.wanted_amount) as decimal(20, 4)) as amount,
        split.due_at,
        split.gateway,
        cast(null as varchar) as gateway_customer_id,
        cast(null as varchar) as gateway_method_id,
        case when split.is_news then 'a refund is not in the serving file yet' end as held_by
    from split
    inner join marts.invoices as invoices
        on
            split.tenant_id = invoices.tenant_id
            and split.invoice_id = invoices.invoice_id
    where least(split.refundable, split.wanted_amount) > 0

),

due as (

    select * from charges
    union all
    select * from refunds_due

),

subjects as (

    select
        tenant_id,
        kind,
        subject,
        max(last_telling_no) as last_telling_no
    from attempts
    group by all

)

select
    due.*,
    coalesce(attempts.attempt, 1) as attempt,
    coalesce(subjects.last_telling_no, 0) as last_telling_no
from due
left join attempts
    on
        due.tenant_id = attempts.tenant_id
        and due.kind = attempts.kind
        and due.idempotency_key = attempts.idempotency_key
left join subjects
    on
        due.tenant_id = subjects.tenant_id
        and due.kind = subjects.kind
        and due.subject = subjects.subject
where attempts.state is null or attempts.state = 'absent'
order by due.tenant_id, due.due_at, due.invoice_number, due.idempotency_key
