-- Payments, refunds and disputes against invoices: what matched and by which rule, and what a person has to look at.
with

tenants as (

    select
        tenant_id,
        timezone,
        billing_as_of,
        {{ local_date('billing_as_of', 'timezone') }} as today,
        proration_credit
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

receivables as {{ not_materialized() }}(

    select * from {{ ref('int_payments__receivables') }}

),

-- What became of the money of payments that are not for a lone invoice.
spent as (

    select
        tenant_id,
        payment_id,
        max(case when kind = 'received' then moved_at end) as received_at,
        sum(case when kind = 'received' then amount else 0 end) as received_amount,
        sum(case kind when 'applied' then amount when 'released' then -amount when 'unmatched' then -amount else 0 end) as applied_amount,
        sum(case kind when 'held' then amount when 'freed' then -amount when 'returned_from_held' then -amount else 0 end) as held_amount,
        sum(case when kind in ('granted_again', 'returned_from_rest', 'returned_from_held') then amount else 0 end) as given_back_amount
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
        coalesce(any_value(targets.customer_id), min(targets.account_id)) as customer_id,
        any_value(targets.amount) as amount,
        any_value(targets.currency) as currency,
        any_value(targets.status) as payment_status,
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
    inner join {{ ref('int_credits__ordered_amounts') }} as invoices
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
    inner join ordered_postings as applied
        on
            targets.tenant_id = applied.tenant_id
            and targets.invoice_id = applied.invoice_id
            and applied.kind = 'applied'
            and targets.payment_id <> applied.payment_id
    where targets.rule_no < 5
    group by targets.tenant_id, targets.payment_id

),

-- Which other legal entity of the group a payment names, by what its tenant states of that entity's numbers. Nothing of another tenant is read.
affiliated as (

    select
        payments.tenant_id,
        payments.payment_id,
        min(affiliates.entity) as entity
    from payments
    inner join {{ ref('int_reconciliation__affiliates') }} as affiliates
        on
            payments.tenant_id = affiliates.tenant_id
            and {{ names_prefix("concat_ws(' ', payments.invoice_number, payments.reference)", 'affiliates.number_prefix') }}
    group by payments.tenant_id, payments.payment_id

),

claims as (

    select * from {{ ref('stg_ratehouse__intercompany_claims') }}
    where action = 'hold' and replaced_at is null

),

outcomes as (

    select
        spent.tenant_id,
        spent.payment_id,
        payment_references.customer_id,
        payment_references.amount,
        payment_references.currency,
        spent.received_at,
        payment_references.problem,
        payment_references.rule_no,
        payment_references.rule,
        payment_references.invoices,
        affiliated.entity as named_entity,
        claims.entity as held_for,
        coalesce(claims.decided_by, payment_references.decided_by) as decided_by,
        coalesce(claims.decided_at, payment_references.decided_at) as decided_at,
        spent.applied_amount,
        spent.held_amount,
        spent.received_amount - spent.applied_amount - spent.given_back_amount - spent.held_amount as rest,
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
    left join affiliated
        on
            spent.tenant_id = affiliated.tenant_id
            and spent.payment_id = affiliated.payment_id
    left join claims
        on
            spent.tenant_id = claims.tenant_id
            and spent.payment_id = claims.payment_id
    where spent.received_amount > 0 and payment_references.payment_status = 'succeeded'
    union all by name
    select
        tenant_id,
        payment_id,
        coalesce(payer_id, customer_id) as customer_id,
        amount,
        currency,
        flowed_at as received_at,
        rule_no,
        {{ matching_rule('rule_no') }} as rule,
        1 as invoices,
        applied_amount,
        amount - applied_amount as rest,
        case when applied_amount > 0 then invoice_number end as invoice_numbers,
        false as is_settled_already
    from lone_invoices

),

of_payments as (

    select
        outcomes.tenant_id,
        case
            when outcomes.rest <= 0 and outcomes.held_amount > 0 then 'intercompany'
            when outcomes.rest <= 0 then 'matched'
            when outcomes.problem = 'unapplied' and outcomes.named_entity is not null then 'entity_mismatch'
            when outcomes.problem is not null then outcomes.problem
            when outcomes.rule_no = 5 or outcomes.invoices = 0 then 'unapplied'
            when outcomes.applied_amount > 0 then 'overpayment'
            when outcomes.is_settled_already then 'duplicate_payment'
            else 'unapplied'
        end as status,
        outcomes.payment_id as reference,
        outcomes.payment_id,
        outcomes.customer_id,
        -- What nothing needs of it is the difference.
        outcomes.amount - outcomes.rest as expected_amount,
        outcomes.amount as actual_amount,
        outcomes.currency,
        outcomes.rule,
        case
            when outcomes.rest <= 0 and outcomes.held_amount > 0 then outcomes.held_for
            else coalesce(outcomes.invoice_numbers, outcomes.named_entity)
        end as counterpart,
        outcomes.decided_by,
        outcomes.decided_at,
        {{ local_date('outcomes.received_at', 'tenants.timezone') }} as since_on
    from outcomes
    inner join tenants on outcomes.tenant_id = tenants.tenant_id

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
    where ordered_postings.kind in ('returned_from_grant', 'returned_from_rest', 'returned_from_held', 'reopened')
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

-- Money that was claimed for another legal entity, of a payment that is not here or of which nothing waits.
of_claims as (

    select
        claims.tenant_id,
        'claim_without_effect' as status,
        claims.payment_id as reference,
        payments.payment_id,
        claims.entity as counterpart,
        claims.decided_by,
        claims.decided_at,
        payments.customer_id,
        coalesce(payments.amount, 0) as expected_amount,
        0 as actual_amount,
        payments.currency,
        {{ local_date('claims.decided_at', 'tenants.timezone') }} as since_on
    from claims
    inner join tenants on claims.tenant_id = tenants.tenant_id
    left join payments
        on
            claims.tenant_id = payments.tenant_id
            and claims.payment_id = payments.payment_id
    left join spent
        on
            claims.tenant_id = spent.tenant_id
            and claims.payment_id = spent.payment_id
    where coalesce(spent.held_amount, 0) = 0

),

items as (

    select * from of_payments
    union all by name
    select * from of_claims
    union all by name
    select * from without_effect
    union all by name
    select * from stuck
    union all by name
    select * from returned
    union all by name
    select * from {{ ref('int_reconciliation__invoices') }}
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
    items.reason,
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
    cast(greatest(datediff('day', items.since_on, tenants.today), 0) as integer) as age_days
from items
inner join tenants on items.tenant_id = tenants.tenant_id
