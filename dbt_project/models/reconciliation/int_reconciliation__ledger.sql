-- The control accounts of money against what they are the sum of, per tenant, account, currency and day: the journal's lines, and documents,
-- payments, refunds, disputes, movements of the processor and decisions as they are told, added up without a posting between them.
--   receivable        documents, credit drawn, what was given up, kept or void, less what payments paid; what contracts bill themselves
--   unapplied_cash    payments and what went back of them, less what documents took; prepaid credit that was drawn
--   clearing          payments, refunds and disputes of a processor less its fees, what it changed and what it paid out
--   intercompany      what other legal entities took for us, less what is held for them; lines that were accepted as theirs
--   fees, disputes    what was taken; what is away and not decided
--   withholding_receivable   taxes that were kept and not certified
-- Closed months were proven when they were closed, and stand: what moved in them is on the first open day, with what they turned out different by.
{{ config(materialized='view') }}
with

tenants as (

    select
        *,
        {{ local_date('billing_as_of', 'timezone') }} as today
    from {{ ref('stg_ratehouse__tenants') }}

),

payments as (

    select
        *,
        {{ money_role('method', 'provider') }} as money_role
    from {{ ref('stg_ratehouse__payments') }}

),

flows as (

    select
        flows.tenant_id,
        flows.source_type,
        payments.currency,
        payments.money_role,
        {{ local_date('flows.flowed_at', 'tenants.timezone') }} as moved_on,
        flows.amount
    from {{ ref('int_payments__flows') }} as flows
    inner join tenants on flows.tenant_id = tenants.tenant_id
    inner join payments
        on
            flows.tenant_id = payments.tenant_id
            and flows.payment_id = payments.payment_id

),

-- What payments paid, and what of money that went back had been waiting.
used as (

    select
        postings.tenant_id,
        payments.currency,
        {{ local_date('postings.moved_at', 'tenants.timezone') }} as moved_on,
        postings.kind <> 'returned_from_held' as was_waiting,
        postings.kind not in ('held', 'freed') as is_owed,
        case when postings.kind in ('released', 'unmatched', 'freed') then -postings.amount else postings.amount end as amount
    from {{ ref('int_payments__postings') }} as postings
    inner join tenants on postings.tenant_id = tenants.tenant_id
    inner join payments
        on
            postings.tenant_id = payments.tenant_id
            and postings.payment_id = payments.payment_id
    where
        postings.kind in ('applied', 'released', 'unmatched', 'held', 'freed', 'granted_again', 'returned_from_rest', 'returned_from_held')

),

documents as (

    select
        documents.tenant_id,
        documents.currency,
        unnest([greatest(documents.bill_date, closes.opens_on), documents.bill_date]) as moved_on,
        unnest([documents.total - documents.tax, documents.tax]) as amount
    from {{ ref('stg_ratehouse__issued_invoices') }} as documents
    left join {{ ref('int_revenue__closes') }} as closes
        on
            documents.tenant_id = closes.tenant_id
            and documents.issued_at > closes.learned_after
            and documents.issued_at <= closes.learned_until

),

draws as (

    select
        draws.tenant_id,
        draws.currency,
        draws.drawn_on as moved_on,
        grants.kind,
        draws.amount
    from {{ ref('stg_ratehouse__credit_draws') }} as draws
    inner join {{ ref('stg_ratehouse__credit_grants') }} as grants
        on
            draws.tenant_id = grants.tenant_id
            and draws.grant_id = grants.grant_id

),

-- What contracts say of themselves; a bill that the customer can walk away from is no receivable yet, whatever document it is on.
contracts as (

    select
        billing.tenant_id,
        contracts.currency,
        billing.posted_on as moved_on,
        billing.type,
        billing.provider,
        {{ from_minor('billing.amount', 'contracts.minor_digits') }} as amount
    from {{ ref('int_revenue__billing') }} as billing
    inner join {{ ref('int_revenue__contracts') }} as contracts
        on
            billing.tenant_id = contracts.tenant_id
            and billing.contract_id = contracts.contract_id
    where billing.invoice_id is null

),

conditional as (

    select
        tenant_id,
        currency,
        posted_on as moved_on,
        {{ from_minor('invoiced - billed', 'minor_digits') }} as amount
    from {{ ref('int_accounting__movements') }}
    where cancellable

),

disputes as (

    select
        disputes.tenant_id,
        disputes.dispute_id,
        disputes.currency,
        payments.money_role,
        disputes.state_no,
        disputes.stage,
        disputes.amount,
        coalesce(last_value(disputes.fee ignore nulls) over (partition by disputes.tenant_id, disputes.dispute_id order by disputes.state_no), 0) as fee,
        {{ local_date('disputes.recorded_at', 'tenants.timezone') }} as moved_on,
        {{ local_date('disputes.replaced_at', 'tenants.timezone') }} as until_on
    from {{ ref('stg_ratehouse__dispute_states') }} as disputes
    inner join tenants on disputes.tenant_id = tenants.tenant_id
    inner join payments
        on
            disputes.tenant_id = payments.tenant_id
            and disputes.payment_id = payments.payment_id

),

movements as (

    select
        movements.*,
        (movements.tenant_id, coalesce(movements.source_id, '')) in (
            select (tenant_id, dispute_id) from {{ ref('stg_ratehouse__dispute_states') }}
        ) as is_of_dispute
    from {{ ref('stg_ratehouse__balance_transactions') }} as movements
    where movements.available_on is not null

),

fees as (

    select
        tenant_id,
        currency,
        available_on as moved_on,
        case when is_of_dispute then 0 else fee end as amount
    from movements
    union all
    select
        tenant_id,
        currency,
        available_on as moved_on,
        -gross as amount
    from movements
    where {{ is_processor_fee('reporting_category') }}

),

acceptances as (

    select
        decisions.tenant_id,
        decisions.currency,
        {{ local_date('decisions.decided_at', 'tenants.timezone') }} as moved_on,
        {{ local_date('decisions.replaced_at', 'tenants.timezone') }} as until_on,
        decisions.area,
        decisions.account_role,
        decisions.amount
    from {{ ref('stg_ratehouse__manual_acceptances') }} as decisions
    inner join tenants on decisions.tenant_id = tenants.tenant_id
    where {{ is_booked_acceptance('decisions') }}

),

sides as (

    select tenant_id, 'receivable' as account_role, currency, moved_on, amount from documents
    union all
    select tenant_id, 'receivable' as account_role, currency, moved_on, -amount as amount from draws
    union all
    select tenant_id, 'unapplied_cash' as account_role, currency, moved_on, amount from draws
    where kind <> 'promotional'
    union all
    select
        tenant_id,
        'receivable' as account_role,
        currency,
        moved_on,
        case when type = 'billed' then amount else -amount end as amount
    from contracts
    where type in ('billed', 'credit', 'paid')
    union all
    select tenant_id, 'receivable' as account_role, currency, moved_on, -amount as amount from conditional
    union all
    select
        moved.tenant_id,
        'receivable' as account_role,
        moved.currency,
        {{ local_date('moved.moved_at', 'tenants.timezone') }} as moved_on,
        moved.amount
    from {{ ref('account_movements') }} as moved
    inner join tenants on moved.tenant_id = tenants.tenant_id
    where moved.kind in ('void', 'write_off', 'withholding')
    union all
    select tenant_id, 'receivable' as account_role, currency, moved_on, -amount as amount from used
    where is_owed
    union all
    select tenant_id, 'receivable' as account_role, currency, moved_on, -amount as amount from flows
    where amount < 0
    union all
    select tenant_id, 'unapplied_cash' as account_role, currency, moved_on, -amount as amount from flows
    where amount > 0
    union all
    select tenant_id, 'unapplied_cash' as account_role, currency, moved_on, amount from used
    where was_waiting
    union all
    -- Where the money is: `cash` has no sub-ledger but the bank's.
    select tenant_id, money_role as account_role, currency, moved_on, amount from flows
    where source_type <> 'dispute'
    union all
    select tenant_id, 'intercompany' as account_role, currency, moved_on, case when is_owed then amount else -amount end as amount from used
    where not is_owed or not was_waiting
    union all
    select tenant_id, 'clearing' as account_role, currency, moved_on, amount from contracts
    where type = 'paid' and provider is not null
    union all
    select
        tenant_id,
        unnest(['disputes', money_role]) as account_role,
        currency,
        moved_on,
        unnest([amount, -amount]) as amount
    from disputes
    where stage in ('open', 'lost', 'partially_lost')
    union all
    select
        tenant_id,
        unnest(['disputes', money_role]) as account_role,
        currency,
        until_on as moved_on,
        unnest([-amount, amount]) as amount
    from disputes
    where stage in ('open', 'lost', 'partially_lost') and until_on is not null
    union all
    -- What is lost is owed again, and no longer in dispute.
    select tenant_id, 'disputes' as account_role, currency, moved_on, amount from flows
    where source_type = 'dispute'
    union all
    select
        tenant_id,
        unnest(['fees', money_role]) as account_role,
        currency,
        moved_on,
        unnest([taken, -taken]) as amount
    from (
        select
            *,
            fee - coalesce(lag(fee) over (partition by tenant_id, dispute_id order by state_no), 0) as taken
        from disputes
    )
    union all
    select
        tenant_id,
        unnest(['fees', 'clearing']) as account_role,
        currency,
        moved_on,
        unnest([amount, -amount]) as amount
    from fees
    union all
    select tenant_id, 'clearing' as account_role, currency, moved_on, amount from {{ ref('int_accounting__exchanges') }}
    union all
    select tenant_id, 'clearing' as account_role, currency, arrival_on as moved_on, -amount as amount from {{ ref('stg_ratehouse__payouts') }}
    where coalesce(status, 'paid') = 'paid'
    union all
    select
        tenant_id,
        'clearing' as account_role,
        currency,
        greatest(incurred_on, opens_on) as moved_on,
        -{{ from_minor('capitalised', 'minor_digits') }} as amount
    from {{ ref('int_revenue__costs') }}
    where capitalised <> 0
    union all
    select
        tenant_id,
        case when side = 1 then 'clearing' else account_role end as account_role,
        currency,
        unnest([moved_on, until_on]) as moved_on,
        unnest([amount, -amount]) * side as amount
    from (
        select
            *,
            unnest([1, -1]) as side
        from acceptances
    )
    where side = -1 or area = 'processor'
    union all
    select
        withholdings.tenant_id,
        'withholding_receivable' as account_role,
        invoices.currency,
        {{ local_date('withholdings.moved_at', 'tenants.timezone') }} as moved_on,
        withholdings.withheld_change - withholdings.certified_change as amount
    from {{ ref('int_payments__withholdings') }} as withholdings
    inner join tenants on withholdings.tenant_id = tenants.tenant_id
    inner join {{ ref('stg_ratehouse__issued_invoices') }} as invoices
        on
            withholdings.tenant_id = invoices.tenant_id
            and withholdings.invoice_id = invoices.invoice_id

),

changes as (

    select
        sides.tenant_id,
        sides.account_role,
        sides.currency,
        sides.moved_on,
        0 as journal_change,
        sides.amount as sub_ledger_change
    from sides
    inner join tenants on sides.tenant_id = tenants.tenant_id
    where sides.moved_on <= tenants.today
    union all
    select
        tenant_id,
        account_role,
        currency,
        posted_on as moved_on,
        debit - credit as journal_change,
        0 as sub_ledger_change
    from {{ ref('journal_entries') }}

),

closed as (

    select * from {{ ref('int_revenue__last_closes') }}

),

accounts as (

    select
        changes.tenant_id,
        changes.account_role,
        changes.currency,
        greatest(changes.moved_on, closed.opens_on) as moved_on,
        sum(changes.journal_change) as journal_change,
        sum(changes.sub_ledger_change) as sub_ledger_change
    from changes
    left join closed on changes.tenant_id = closed.tenant_id
    where changes.account_role in ('receivable', 'unapplied_cash', 'clearing', 'fees', 'disputes', 'intercompany', 'withholding_receivable')
    group by changes.tenant_id, changes.account_role, changes.currency, greatest(changes.moved_on, closed.opens_on)

)

select
    tenant_id,
    account_role,
    currency,
    moved_on as as_of,
    cast(sum(journal_change) over history as decimal(20, 4)) as journal_balance,
    cast(sum(sub_ledger_change) over history as decimal(20, 4)) as sub_ledger_balance,
    cast(sum(journal_change - sub_ledger_change) over history as decimal(20, 4)) as residual
from accounts
window history as (partition by tenant_id, account_role, currency order by moved_on)
