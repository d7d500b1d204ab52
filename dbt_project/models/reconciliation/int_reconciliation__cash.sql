-- Payments, refunds and disputes against invoices: what matched and by which rule, and what a person has to look at.
with

tenants as (

    select
        tenant_id,
        timezone,
        billing_as_of,
        proration_credit,
        rounding_mode,
        {{ json_part('document', 'receivables.withholding') }} as withholding
    from {{ ref('stg_ratehouse__tenants') }}

),

payments as {{ not_materialized() }}(

    select * from {{ ref('stg_ratehouse__payments') }}

),

-- What somebody decided and still stands.
decisions as (

    select * from {{ ref('int_payments__decisions') }}
    where action = 'match' and replaced_at is null

),

decided as (

    select
        tenant_id,
        payment_id,
        max_by(decided_by, decided_at) as decided_by,
        max(decided_at) as decided_at
    from decisions
    where problem is null
    group by tenant_id, payment_id

),

lone_invoices as {{ not_materialized() }}(

    select * from {{ ref('int_payments__lone_invoices') }}
    where payment_id is not null

),

ordered_postings as (

    select * from {{ ref('int_payments__ordered_postings') }}

),

receivables as (

    select * from {{ ref('int_payments__receivables') }}

),

-- What became of the money of payments that are not for a lone invoice.
spent as (

    select
        tenant_id,
        payment_id,
        sum(case when kind = 'received' then amount else 0 end) as received_amount,
        sum(case kind when 'applied' then amount when 'released' then -amount when 'unmatched' then -amount else 0 end) as applied_amount,
        sum(case when kind = 'returned_from_rest' then amount else 0 end) as given_back_amount
    from ordered_postings
    where payment_id is not null
    group by tenant_id, payment_id

),

targets as (

    select payment_references.*
    from {{ ref('int_payments__references') }} as payment_references
    inner join spent
        on
            payment_references.tenant_id = spent.tenant_id
            and payment_references.payment_id = spent.payment_id

),

payment_references as (

    select
        targets.tenant_id,
        targets.payment_id,
        case when any_value(decided.payment_id) is null then min(targets.problem) end as problem,
        case when any_value(decided.payment_id) is null then min(targets.rule_no) else 0 end as rule_no,
        case when any_value(decided.payment_id) is null then min(targets.rule) else 'manual' end as rule,
        count(targets.invoice_id) + count(decided.payment_id) as invoices,
        any_value(decided.decided_by) as decided_by,
        any_value(decided.decided_at) as decided_at
    from targets
    left join decided
        on
            targets.tenant_id = decided.tenant_id
            and targets.payment_id = decided.payment_id
    group by targets.tenant_id, targets.payment_id

),

-- The documents that a payment pays.
paid as (

    select
        allocations.tenant_id,
        allocations.payment_id,
        string_agg(invoices.invoice_number, ', ' order by invoices.invoice_number) as invoice_numbers
    from (
        select
            tenant_id,
            payment_id,
            invoice_id
        from ordered_postings
        where kind in ('applied', 'released', 'reopened', 'unmatched')
        group by tenant_id, payment_id, invoice_id
        having sum(case kind when 'applied' then amount else -amount end) > 0
    ) as allocations
    inner join {{ ref('stg_ratehouse__issued_invoices') }} as invoices
        on
            allocations.tenant_id = invoices.tenant_id
            and allocations.invoice_id = invoices.invoice_id
    group by allocations.tenant_id, allocations.payment_id

),

-- Payments for an invoice that another payment had settled.
settled as (

    select
        targets.tenant_id,
        targets.payment_id
    from targets
    inner join {{ ref('int_payments__postings') }} as applied
        on
            targets.tenant_id = applied.tenant_id
            and targets.invoice_id = applied.invoice_id
            and applied.kind = 'applied'
            and targets.payment_id <> applied.payment_id
    where targets.rule_no < 5
    group by targets.tenant_id, targets.payment_id

),

outcomes as (

    select
        spent.tenant_id,
        spent.payment_id,
        payment_references.problem,
        payment_references.rule_no,
        payment_references.rule,
        payment_references.invoices,
        payment_references.decided_by,
        payment_references.decided_at,
        spent.applied_amount,
        spent.received_amount - spent.applied_amount - spent.given_back_amount as rest,
        paid.invoice_numbers,
        settled.payment_id is not null as is_settled_already
    from spent
    inner join payment_references
        on
            spent.tenant_id = payment_references.tenant_id
            and spent.payment_id = payment_references.payment_id
    left join paid
        on
            spent.tenant_id = paid.tenant_id
            and spent.payment_id = paid.payment_id
    left join settled
        on
            spent.tenant_id = settled.tenant_id
            and spent.payment_id = settled.payment_id
    where spent.received_amount > 0
    union all by name
    select
        tenant_id,
        payment_id,
        rule_no,
        rule,
        1 as invoices,
        applied_amount,
        amount - applied_amount as rest,
        case when applied_amount > 0 then invoice_number end as invoice_numbers,
        false as is_settled_already
    from lone_invoices

),

of_payments as (

    select
        payments.tenant_id,
        case
            when outcomes.rest <= 0 then 'matched'
            when outcomes.problem is not null then outcomes.problem
            when outcomes.rule_no = 5 or outcomes.invoices = 0 then 'unapplied'
            when outcomes.applied_amount > 0 then 'overpayment'
            when outcomes.is_settled_already then 'duplicate_payment'
            else 'unapplied'
        end as status,
        payments.payment_id as reference,
        payments.payment_id,
        payments.customer_id,
        -- What nothing needs of it is the difference.
        payments.amount - outcomes.rest as expected_amount,
        payments.amount as actual_amount,
        payments.currency,
        outcomes.rule,
        outcomes.invoice_numbers as counterpart,
        outcomes.decided_by,
        outcomes.decided_at,
        {{ local_date('payments.recorded_at', 'tenants.timezone') }} as since_on
    from payments
    inner join tenants on payments.tenant_id = tenants.tenant_id
    inner join outcomes
        on
            payments.tenant_id = outcomes.tenant_id
            and payments.payment_id = outcomes.payment_id
    where payments.status = 'succeeded'

),

-- A time-out is neither success nor failure; one that stays is asked about.
stuck as (

    select
        payments.tenant_id,
        'stuck_payment' as status,
        payments.payment_id as reference,
        payments.payment_id,
        payments.customer_id,
        payments.amount as expected_amount,
        cast(0 as decimal(20, 4)) as actual_amount,
        payments.currency,
        {{ local_date('payments.recorded_at', 'tenants.timezone') }} as since_on
    from payments
    inner join tenants on payments.tenant_id = tenants.tenant_id
    where
        (payments.status = 'unknown' and payments.recorded_at <= tenants.billing_as_of - interval 1 day)
        or (payments.status = 'processing' and payments.recorded_at <= tenants.billing_as_of - interval 14 day)

),

-- Money that failed after it had succeeded, such as a direct debit that came back.
returned as (

    select
        flows.tenant_id,
        'returned_payment' as status,
        flows.payment_id as reference,
        flows.payment_id,
        payments.customer_id,
        -flows.amount as expected_amount,
        cast(0 as decimal(20, 4)) as actual_amount,
        payments.currency,
        {{ local_date('flows.flowed_at', 'tenants.timezone') }} as since_on
    from {{ ref('int_payments__flows') }} as flows
    inner join payments
        on
            flows.tenant_id = payments.tenant_id
            and flows.payment_id = payments.payment_id
    inner join tenants on flows.tenant_id = tenants.tenant_id
    where flows.source_type = 'payment' and flows.amount < 0
    qualify row_number() over (partition by flows.tenant_id, flows.payment_id order by flows.flowed_at desc) = 1

),

of_invoices as (

    select
        receivables.tenant_id,
        case
            when
                receivables.paid_amount > 0
                and receivables.open_amount = {{ round_money(
                    "cast((invoices.total - invoices.tax) * cast(" ~ json_text_at('tenants.withholding', 'customers.country') ~ " as decimal(28, 12)) * 0.01 as decimal(38, 22))",
                    'currencies.minor_digits', 'tenants.rounding_mode'
                ) }}
                then 'withholding_tax'
            when receivables.paid_amount > 0 then 'amount_mismatch'
            else 'missing_payment'
        end as status,
        invoices.invoice_number as reference,
        receivables.invoice_id,
        receivables.customer_id,
        receivables.paid_amount + receivables.open_amount as expected_amount,
        receivables.paid_amount as actual_amount,
        receivables.currency,
        receivables.due_on as since_on
    from receivables
    inner join {{ ref('stg_ratehouse__issued_invoices') }} as invoices
        on
            receivables.tenant_id = invoices.tenant_id
            and receivables.invoice_id = invoices.invoice_id
    inner join tenants on receivables.tenant_id = tenants.tenant_id
    inner join {{ ref('currencies') }} as currencies on receivables.currency = currencies.currency
    left join {{ ref('int_subscriptions__customers') }} as customers
        on
            receivables.tenant_id = customers.tenant_id
            and receivables.customer_id = customers.customer_id
    where
        receivables.open_amount > 0
        and (receivables.paid_amount > 0 or receivables.due_on < {{ local_date('tenants.billing_as_of', 'invoices.timezone') }})

),

recovered as (

    select
        receivables.tenant_id,
        'write_off_recovered' as status,
        invoices.invoice_number as reference,
        receivables.invoice_id,
        receivables.customer_id,
        cast(0 as decimal(20, 4)) as expected_amount,
        receivables.recovered_amount as actual_amount,
        receivables.currency,
        receivables.due_on as since_on
    from receivables
    inner join {{ ref('stg_ratehouse__issued_invoices') }} as invoices
        on
            receivables.tenant_id = invoices.tenant_id
            and receivables.invoice_id = invoices.invoice_id
    where receivables.recovered_amount > 0

),

-- Where the money of refunds came from, and what of the invoices that it opened is still open.
used as (

    select
        ordered_postings.tenant_id,
        ordered_postings.flow_id,
        sum(ordered_postings.amount) as used_amount,
        sum(case when ordered_postings.kind = 'reopened' then least(ordered_postings.amount, receivables.open_amount) else 0 end) as open_amount
    from ordered_postings
    left join receivables
        on
            ordered_postings.tenant_id = receivables.tenant_id
            and ordered_postings.invoice_id = receivables.invoice_id
    where ordered_postings.kind in ('returned_from_grant', 'returned_from_rest', 'reopened')
    group by ordered_postings.tenant_id, ordered_postings.flow_id

),

sent_back as (

    select
        flows.tenant_id,
        flows.source_type,
        flows.source_id,
        flows.payment_id,
        min(flows.flowed_at) as flowed_at,
        sum(-flows.amount) as amount,
        sum(coalesce(used.used_amount, 0)) as used_amount,
        sum(coalesce(used.open_amount, 0)) as open_amount
    from {{ ref('int_payments__flows') }} as flows
    left join used
        on
            flows.tenant_id = used.tenant_id
            and flows.flow_id = used.flow_id
            and flows.amount < 0
    where flows.source_type = 'refund'
    group by flows.tenant_id, flows.source_type, flows.source_id, flows.payment_id

),

of_refunds as (

    select
        sent_back.tenant_id,
        case
            when sent_back.used_amount < sent_back.amount then 'refund_mismatch'
            when sent_back.open_amount > 0 then 'refund_without_credit_note'
            else 'matched'
        end as status,
        sent_back.source_id as reference,
        sent_back.payment_id,
        payments.customer_id,
        case
            when sent_back.used_amount < sent_back.amount then sent_back.used_amount
            else sent_back.amount - sent_back.open_amount
        end as expected_amount,
        sent_back.amount as actual_amount,
        payments.currency,
        {{ local_date('sent_back.flowed_at', 'tenants.timezone') }} as since_on
    from sent_back
    inner join tenants on sent_back.tenant_id = tenants.tenant_id
    left join payments
        on
            sent_back.tenant_id = payments.tenant_id
            and sent_back.payment_id = payments.payment_id
    -- One that failed in the end left nothing behind.
    where sent_back.amount > 0

),

-- A credit note that promises money which has not gone out.
owed_back as (

    select
        actions.tenant_id,
        'credit_note_without_refund' as status,
        notes.invoice_number as reference,
        actions.invoice_id,
        actions.customer_id,
        actions.amount as expected_amount,
        cast(0 as decimal(20, 4)) as actual_amount,
        actions.currency,
        actions.due_day as since_on
    from {{ ref('int_dunning__actions') }} as actions
    inner join {{ ref('stg_ratehouse__issued_invoices') }} as notes
        on
            actions.tenant_id = notes.tenant_id
            and actions.invoice_id = notes.invoice_id
    where actions.action = 'refund' and not actions.is_done

),

of_disputes as (

    select
        disputes.tenant_id,
        case disputes.stage
            when 'open' then 'disputed'
            else 'dispute_lost'
        end as status,
        disputes.dispute_id as reference,
        disputes.payment_id,
        payments.customer_id,
        disputes.amount as expected_amount,
        cast(case disputes.stage when 'open' then disputes.amount else 0 end as decimal(20, 4)) as actual_amount,
        disputes.currency,
        {{ local_date('disputes.recorded_at', 'tenants.timezone') }} as since_on
    from {{ ref('stg_ratehouse__dispute_states') }} as disputes
    inner join tenants on disputes.tenant_id = tenants.tenant_id
    left join payments
        on
            disputes.tenant_id = payments.tenant_id
            and disputes.payment_id = payments.payment_id
    where disputes.replaced_at is null and disputes.stage in ('open', 'lost', 'partially_lost')
    qualify row_number() over (partition by disputes.tenant_id, disputes.dispute_id order by disputes.state_no desc) = 1

),

-- A decision that names what is not there, or what the payment's money cannot be for.
without_effect as (

    select
        decisions.tenant_id,
        'match_without_effect' as status,
        decisions.payment_id || ' = ' || decisions.right_reference as reference,
        decisions.payment_id,
        decisions.right_reference as counterpart,
        decisions.problem as rule,
        decisions.decided_by,
        decisions.decided_at,
        payments.customer_id,
        cast(coalesce(payments.amount, 0) as decimal(20, 4)) as expected_amount,
        cast(0 as decimal(20, 4)) as actual_amount,
        payments.currency,
        {{ local_date('decisions.decided_at', 'tenants.timezone') }} as since_on
    from decisions
    inner join tenants on decisions.tenant_id = tenants.tenant_id
    left join payments
        on
            decisions.tenant_id = payments.tenant_id
            and decisions.payment_id = payments.payment_id
    where decisions.problem is not null

),

items as (

    select * from of_payments
    union all by name
    select * from without_effect
    union all by name
    select * from stuck
    union all by name
    select * from returned
    union all by name
    select * from of_invoices
    union all by name
    select * from recovered
    union all by name
    select * from of_refunds
    union all by name
    select * from owed_back
    union all by name
    select * from of_disputes

)

select
    items.tenant_id,
    'cash' as area,
    items.status,
    items.reference,
    items.rule,
    items.counterpart,
    items.decided_by,
    items.decided_at,
    items.customer_id,
    items.invoice_id,
    items.payment_id,
    cast(items.expected_amount as decimal(20, 4)) as expected_amount,
    cast(items.actual_amount as decimal(20, 4)) as actual_amount,
    cast(items.actual_amount - items.expected_amount as decimal(20, 4)) as difference,
    items.currency,
    cast(greatest(datediff('day', items.since_on, {{ local_date('tenants.billing_as_of', 'tenants.timezone') }}), 0) as integer) as age_days
from items
inner join tenants on items.tenant_id = tenants.tenant_id
