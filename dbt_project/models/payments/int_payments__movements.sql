-- Every movement between the pots of an account, in the order in which it became possible, but of invoices that need none
-- (int_payments__lone_invoices). Pots: `open` of an invoice, `rest` of a payment, `applied` of a payment to an invoice, `back` of money that
-- went back, `grant` of a credit note, `tolerated` and `withheld` of an invoice that may stay unpaid in part, `held` of a payment for another
-- legal entity. A movement takes as much as its cap and the pots it takes from allow; one that needs a pot takes nothing while that is empty,
-- nor does one while the pot it takes from holds more than `most`.
--
-- A person's decision that a payment is for a document is one more way to find it, from when it counts; one that it is not takes back
-- what was applied and keeps it from being applied again.
--
-- What is known at an instant comes before the documents issued at it, as their run knew it: money in, then out, then documents, then
-- what they open for money that waits.
with

tied_invoices as (

    select * from {{ ref('int_payments__tied_invoices') }}

),

documents as (

    select invoices.*
    from {{ ref('stg_ratehouse__issued_invoices') }} as invoices
    left join tied_invoices
        on
            invoices.tenant_id = tied_invoices.tenant_id
            and invoices.invoice_id = tied_invoices.invoice_id
    where invoices.kind <> 'invoice' or tied_invoices.invoice_id is not null

),

invoices as (

    select * from documents
    where kind = 'invoice'

),

uses as (

    select * from {{ ref('stg_ratehouse__credit_note_uses') }}

),

payment_references as (

    select payment_references.*
    from {{ ref('int_payments__references') }} as payment_references
    left join tied_invoices
        on
            payment_references.tenant_id = tied_invoices.tenant_id
            and payment_references.invoice_id = tied_invoices.invoice_id
    where
        payment_references.problem is not null
        or payment_references.invoice_id is null
        or payment_references.rule_no >= 4
        or tied_invoices.invoice_id is not null

),

flows as (

    select * from {{ ref('int_payments__flows') }}
    where (tenant_id, payment_id) in (select (tenant_id, payment_id) from payment_references)

),

decisions as (

    select * from {{ ref('int_payments__decisions') }}
    where problem is null

),

-- What is tied together by more than one document: money that names none or several, and money that went back. Elsewhere each
-- invoice is an account of its own.
joined_accounts as (

    select distinct
        payment_references.tenant_id,
        payment_references.account_id,
        payment_references.currency
    from payment_references
    left join flows
        on
            payment_references.tenant_id = flows.tenant_id
            and payment_references.payment_id = flows.payment_id
            and flows.amount < 0
    where payment_references.rule_no >= 4 or flows.flow_id is not null
    union
    select distinct
        decisions.tenant_id,
        decisions.owner_id as account_id,
        invoices.currency
    from decisions
    inner join invoices
        on
            decisions.tenant_id = invoices.tenant_id
            and decisions.invoice_id = invoices.invoice_id

),

accounts as (

    select
        documents.tenant_id,
        documents.invoice_id,
        documents.kind,
        case
            when joined_accounts.account_id is null then 'invoice:' || documents.invoice_id
            else 'customer:' || documents.customer_id || ':' || documents.currency
        end as account
    from documents
    left join joined_accounts
        on
            documents.tenant_id = joined_accounts.tenant_id
            and documents.customer_id = joined_accounts.account_id
            and documents.currency = joined_accounts.currency

),

homes as (

    select distinct
        tenant_id,
        payment_id,
        owner_id
    from decisions

),

refused as (

    select
        tenant_id,
        payment_id,
        invoice_id,
        min(decided_at) as decided_at
    from decisions
    where action = 'unmatch'
    group by tenant_id, payment_id, invoice_id

),

found as (

    select
        payment_references.tenant_id,
        payment_references.payment_id,
        payment_references.invoice_id,
        payment_references.rule,
        payment_references.rule_no,
        cast(null as timestamp with time zone) as applies_from,
        refused.decided_at as applies_until
    from payment_references
    left join refused
        on
            payment_references.tenant_id = refused.tenant_id
            and payment_references.payment_id = refused.payment_id
            and payment_references.invoice_id = refused.invoice_id
    where payment_references.problem is null
    union all
    select
        tenant_id,
        payment_id,
        invoice_id,
        'manual' as rule,
        0 as rule_no,
        decided_at as applies_from,
        replaced_at as applies_until
    from decisions
    where action = 'match'

),

-- Payments that can be applied, with the account they belong to.
candidates as (

    select
        found.tenant_id,
        found.payment_id,
        found.invoice_id,
        found.rule,
        found.rule_no,
        found.applies_from,
        found.applies_until,
        accounts.account,
        invoices.issued_at,
        datediff('day', date '2000-01-01', invoices.due_on) as due_place,
        invoices.seq
    from found
    inner join invoices
        on
            found.tenant_id = invoices.tenant_id
            and found.invoice_id = invoices.invoice_id
    inner join accounts
        on
            invoices.tenant_id = accounts.tenant_id
            and invoices.invoice_id = accounts.invoice_id
    left join homes
        on
            found.tenant_id = homes.tenant_id
            and found.payment_id = homes.payment_id
    where invoices.customer_id = coalesce(homes.owner_id, invoices.customer_id)

),

-- The same without the way in which it was found: what was applied is one pot.
pairs as (

    select * exclude (applies_from, applies_until)
    from candidates
    qualify row_number() over (partition by tenant_id, payment_id, invoice_id order by rule_no, applies_from) = 1

),

payers as (

    select
        payment_references.tenant_id,
        payment_references.payment_id,
        coalesce(min(candidates.account), 'payment:' || payment_references.payment_id) as account
    from payment_references
    left join candidates
        on
            payment_references.tenant_id = candidates.tenant_id
            and payment_references.payment_id = candidates.payment_id
    group by payment_references.tenant_id, payment_references.payment_id

),

money_in as (

    select
        flows.*,
        payers.account
    from flows
    inner join payers
        on
            flows.tenant_id = payers.tenant_id
            and flows.payment_id = payers.payment_id
    where flows.amount > 0

),

money_out as (

    select
        flows.* exclude (amount),
        -flows.amount as amount,
        payers.account
    from flows
    inner join payers
        on
            flows.tenant_id = payers.tenant_id
            and flows.payment_id = payers.payment_id
    where flows.amount < 0

),

voids as (

    select * from {{ ref('int_payments__voids') }}

),

deadlines as (

    select * from {{ ref('int_payments__deadlines') }}
    where has_passed

),

-- What a note is worth beyond the invoices it lowered, and which invoices it corrects.
notes as (

    select
        documents.tenant_id,
        documents.invoice_id as note_id,
        documents.invoice_number,
        documents.issued_at,
        accounts.account,
        cast(-documents.total - coalesce(sum(uses.amount), 0) as decimal(20, 4)) as amount
    from documents
    inner join accounts
        on
            documents.tenant_id = accounts.tenant_id
            and documents.invoice_id = accounts.invoice_id
    left join uses
        on
            documents.tenant_id = uses.tenant_id
            and documents.invoice_id = uses.credit_note_id
    where documents.kind = 'credit_note' and accounts.account like 'customer:%'
    group by documents.tenant_id, documents.invoice_id, documents.invoice_number, documents.issued_at, accounts.account, documents.total
    having -documents.total - coalesce(sum(uses.amount), 0) > 0

),

corrected as (

    select distinct
        lines.tenant_id,
        lines.invoice_id as note_id,
        coalesce(corrected_lines.replaces_invoice_id, corrected_lines.invoice_id) as invoice_id
    from {{ ref('stg_ratehouse__issued_invoice_lines') }} as lines
    inner join {{ ref('stg_ratehouse__issued_invoice_lines') }} as corrected_lines
        on
            lines.tenant_id = corrected_lines.tenant_id
            and lines.corrects_line_id = corrected_lines.line_id

),

movements as (

    -- 1. Documents.
    select
        invoices.tenant_id,
        accounts.account,
        'issued' as kind,
        invoices.issued_at as moved_at,
        1 as phase,
        0 as step,
        invoices.invoice_id,
        'open:' || invoices.invoice_id as to_pot,
        invoices.amount_due as cap
    from invoices
    inner join accounts
        on
            invoices.tenant_id = accounts.tenant_id
            and invoices.invoice_id = accounts.invoice_id
    union all by name
    select
        uses.tenant_id,
        accounts.account,
        'noted' as kind,
        uses.issued_at as moved_at,
        1 as phase,
        1 as step,
        uses.invoice_id,
        uses.credit_note_id as note_id,
        'open:' || uses.invoice_id as from_pot,
        uses.amount as cap
    from uses
    inner join accounts
        on
            uses.tenant_id = accounts.tenant_id
            and uses.invoice_id = accounts.invoice_id
    union all by name
    select
        tenant_id,
        account,
        'granted' as kind,
        issued_at as moved_at,
        1 as phase,
        2 as step,
        note_id,
        'grant:' || note_id as to_pot,
        amount as cap
    from notes
    union all by name
    select
        notes.tenant_id,
        notes.account,
        'drawn' as kind,
        draws.issued_at as moved_at,
        1 as phase,
        3 as step,
        notes.note_id,
        draws.invoice_id,
        'grant:' || notes.note_id as from_pot,
        draws.amount as cap
    from notes
    inner join {{ ref('stg_ratehouse__credit_draws') }} as draws
        on
            notes.tenant_id = draws.tenant_id
            and notes.invoice_number = draws.grant_id
    union all by name
    select
        voids.tenant_id,
        accounts.account,
        'voided' as kind,
        voids.voided_at as moved_at,
        0 as phase,
        7 as step,
        voids.invoice_id,
        'open:' || voids.invoice_id as from_pot,
        voids.amount_due as cap,
        true as is_whole
    from voids
    inner join accounts
        on
            voids.tenant_id = accounts.tenant_id
            and voids.invoice_id = accounts.invoice_id
    union all by name
    -- A subscription that was not paid for in time: its first document is void, and what was paid of it waits.
    select
        deadlines.tenant_id,
        accounts.account,
        'voided' as kind,
        deadlines.ends_at as moved_at,
        0 as phase,
        7 as step,
        deadlines.invoice_id,
        'open:' || deadlines.invoice_id as from_pot,
        'void:' || deadlines.invoice_id as to_pot
    from deadlines
    inner join accounts
        on
            deadlines.tenant_id = accounts.tenant_id
            and deadlines.invoice_id = accounts.invoice_id
    union all by name
    select
        deadlines.tenant_id,
        pairs.account,
        'released' as kind,
        deadlines.ends_at as moved_at,
        0 as phase,
        8 as step,
        pairs.payment_id,
        pairs.invoice_id,
        'applied:' || pairs.payment_id || ':' || pairs.invoice_id as from_pot,
        'rest:' || pairs.payment_id as to_pot,
        'void:' || pairs.invoice_id as needed_pot
    from deadlines
    inner join pairs
        on
            deadlines.tenant_id = pairs.tenant_id
            and deadlines.invoice_id = pairs.invoice_id
    -- 2. Money in, and what it is applied to: when both it and the invoice are there.
    union all by name
    select
        tenant_id,
        account,
        'received' as kind,
        flowed_at as moved_at,
        0 as phase,
        0 as step,
        payment_id,
        flow_id,
        'rest:' || payment_id as to_pot,
        amount as cap
    from money_in
    union all by name
    select
        money_in.tenant_id,
        candidates.account,
        'applied' as kind,
        greatest(money_in.flowed_at, candidates.issued_at, candidates.applies_from) as moved_at,
        case when candidates.issued_at >= greatest(money_in.flowed_at, candidates.applies_from) then 2 else 0 end as phase,
        1 as step,
        money_in.payment_id,
        candidates.invoice_id,
        money_in.flow_id,
        candidates.rule,
        candidates.due_place,
        candidates.seq,
        'open:' || candidates.invoice_id as from_pot,
        'rest:' || money_in.payment_id as from_second_pot,
        'applied:' || money_in.payment_id || ':' || candidates.invoice_id as to_pot
    from money_in
    inner join candidates
        on
            money_in.tenant_id = candidates.tenant_id
            and money_in.payment_id = candidates.payment_id
    where
        greatest(money_in.flowed_at, candidates.issued_at, candidates.applies_from)
        < coalesce(candidates.applies_until, cast('9999-12-31' as timestamp with time zone))
    -- A payment that somebody found to be for something else: what it had paid is open again, and its money waits.
    union all by name
    select
        decisions.tenant_id,
        accounts.account,
        'unmatched' as kind,
        decisions.decided_at as moved_at,
        0 as phase,
        -1 as step,
        decisions.payment_id,
        decisions.invoice_id,
        'applied:' || decisions.payment_id || ':' || decisions.invoice_id as from_pot,
        'rest:' || decisions.payment_id as to_pot,
        'open:' || decisions.invoice_id as to_second_pot
    from decisions
    inner join accounts
        on
            decisions.tenant_id = accounts.tenant_id
            and decisions.invoice_id = accounts.invoice_id
    where decisions.action = 'unmatch'
    -- 3. Money out: first what notes gave back, then what nothing needed, then it opens what it had paid, the latest due first.
    union all by name
    select
        tenant_id,
        account,
        'returned' as kind,
        flowed_at as moved_at,
        0 as phase,
        2 as step,
        payment_id,
        flow_id,
        'back:' || flow_id as to_pot,
        amount as cap
    from money_out
    union all by name
    select
        money_out.tenant_id,
        money_out.account,
        'returned_from_grant' as kind,
        money_out.flowed_at as moved_at,
        0 as phase,
        3 as step,
        money_out.payment_id,
        money_out.flow_id,
        pairs.invoice_id,
        notes.note_id,
        'back:' || money_out.flow_id as from_pot,
        'grant:' || notes.note_id as from_second_pot,
        'sent:' || money_out.source_id || ':' || notes.note_id as to_pot,
        'applied:' || money_out.payment_id || ':' || pairs.invoice_id as needed_pot
    from money_out
    inner join pairs
        on
            money_out.tenant_id = pairs.tenant_id
            and money_out.payment_id = pairs.payment_id
    inner join corrected
        on
            pairs.tenant_id = corrected.tenant_id
            and pairs.invoice_id = corrected.invoice_id
    inner join notes
        on
            corrected.tenant_id = notes.tenant_id
            and corrected.note_id = notes.note_id
    where money_out.source_type = 'refund'
    union all by name
    -- A refund that failed in the end: what a note promised is owed back again.
    select
        money_in.tenant_id,
        money_in.account,
        'granted_again' as kind,
        money_in.flowed_at as moved_at,
        0 as phase,
        0 as step,
        0 as due_place,
        money_in.payment_id,
        money_in.flow_id,
        notes.note_id,
        'rest:' || money_in.payment_id as from_pot,
        'sent:' || money_in.source_id || ':' || notes.note_id as from_second_pot,
        'grant:' || notes.note_id as to_pot
    from money_in
    inner join notes
        on
            money_in.tenant_id = notes.tenant_id
            and money_in.account = notes.account
    where money_in.source_type = 'refund'
    union all by name
    select
        tenant_id,
        account,
        'returned_from_rest' as kind,
        flowed_at as moved_at,
        0 as phase,
        4 as step,
        payment_id,
        flow_id,
        'back:' || flow_id as from_pot,
        'rest:' || payment_id as from_second_pot
    from money_out
    union all by name
    select
        money_out.tenant_id,
        money_out.account,
        'reopened' as kind,
        money_out.flowed_at as moved_at,
        0 as phase,
        5 as step,
        money_out.payment_id,
        money_out.flow_id,
        pairs.invoice_id,
        pairs.rule,
        -pairs.due_place as due_place,
        -pairs.seq as seq,
        'back:' || money_out.flow_id as from_pot,
        'applied:' || money_out.payment_id || ':' || pairs.invoice_id as from_second_pot,
        'open:' || pairs.invoice_id as to_pot
    from money_out
    inner join pairs
        on
            money_out.tenant_id = pairs.tenant_id
            and money_out.payment_id = pairs.payment_id
    -- Money that still waits takes what has opened again.
    union all by name
    select
        money_out.tenant_id,
        money_out.account,
        'applied' as kind,
        money_out.flowed_at as moved_at,
        0 as phase,
        6 as step,
        waiting.payment_id,
        money_out.flow_id,
        waiting.invoice_id,
        waiting.rule,
        waiting.due_place,
        waiting.seq,
        'open:' || waiting.invoice_id as from_pot,
        'rest:' || waiting.payment_id as from_second_pot,
        'applied:' || waiting.payment_id || ':' || waiting.invoice_id as to_pot
    from money_out
    inner join pairs
        on
            money_out.tenant_id = pairs.tenant_id
            and money_out.payment_id = pairs.payment_id
    inner join candidates as waiting
        on
            pairs.tenant_id = waiting.tenant_id
            and pairs.invoice_id = waiting.invoice_id
            and pairs.payment_id <> waiting.payment_id
            and waiting.rule_no = 5
            and money_out.flowed_at < coalesce(waiting.applies_until, cast('9999-12-31' as timestamp with time zone))
    -- What may stay unpaid of an invoice, judged anew.
    union all by name
    select
        judged.*,
        accounts.account
    from {{ ref('int_payments__shortfall_movements') }} as judged
    inner join accounts
        on
            judged.tenant_id = accounts.tenant_id
            and judged.invoice_id = accounts.invoice_id
    -- Money of another legal entity.
    union all by name
    select
        claimed.*,
        payers.account
    from {{ ref('int_payments__claim_movements') }} as claimed
    inner join payers
        on
            claimed.tenant_id = payers.tenant_id
            and claimed.payment_id = payers.payment_id

)

select
    *,
    row_number() over (
        partition by tenant_id, account
        order by
            moved_at, phase, step, due_place nulls first, seq nulls first, invoice_id nulls first, payment_id nulls first,
            flow_id nulls first, note_id nulls first, rule nulls first
    ) as movement_no
from movements
