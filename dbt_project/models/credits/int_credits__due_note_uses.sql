-- What the next run's credit notes take off open invoices: first those they correct, then the customer's others in that currency,
-- oldest first, those of the same run last. What was given up of an invoice by itself is owed again before a note corrects it. The rest becomes a
-- grant (int_credits__grants). A tenant that refunds lowers only the
-- invoices that its notes correct.
with

documents as (

    select * from {{ ref('int_invoicing__due_totals') }}
    where not is_draft and blocked_by is null

),

drawn as (

    select
        tenant_id,
        document_key,
        sum(amount) as amount
    from {{ ref('int_credits__due_draws') }}
    group by tenant_id, document_key

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

corrected as (

    select distinct
        lines.tenant_id,
        lines.document_key,
        coalesce(issued.replaces_invoice_id, issued.invoice_id) as invoice_id
    from {{ ref('int_invoicing__net_lines') }} as lines
    inner join {{ ref('stg_ratehouse__issued_invoice_lines') }} as issued
        on
            lines.tenant_id = issued.tenant_id
            and lines.corrects_line_id = issued.line_id

),

notes as (

    select
        documents.tenant_id,
        documents.document_key,
        documents.bill_to_customer_id,
        documents.currency,
        cast(-documents.total as decimal(20, 4)) as amount,
        tenants.proration_credit
    from documents
    inner join tenants on documents.tenant_id = tenants.tenant_id
    where documents.kind = 'credit_note' and documents.total < 0

),

open_invoices as (

    select
        tenant_id,
        invoice_id,
        cast(null as varchar) as document_key,
        customer_id,
        currency,
        issued_at,
        seq,
        cast(open_amount + tolerated_amount as decimal(20, 4)) as open_amount,
        tolerated_amount > 0 as is_tolerated
    from {{ ref('int_credits__open_amounts') }}
    where open_amount + tolerated_amount > 0
    union all
    select
        documents.tenant_id,
        null as invoice_id,
        documents.document_key,
        documents.bill_to_customer_id as customer_id,
        documents.currency,
        timestamptz '9999-12-31 00:00:00+00' as issued_at,
        0 as seq,
        cast(documents.total - coalesce(drawn.amount, 0) as decimal(20, 4)) as open_amount,
        false as is_tolerated
    from documents
    left join drawn
        on
            documents.tenant_id = drawn.tenant_id
            and documents.document_key = drawn.document_key
    where documents.kind = 'invoice' and documents.total - coalesce(drawn.amount, 0) > 0

),

candidates as (

    select
        notes.tenant_id,
        notes.bill_to_customer_id,
        notes.currency,
        notes.document_key,
        notes.amount as note_amount,
        open_invoices.invoice_id,
        open_invoices.document_key as invoice_document_key,
        open_invoices.issued_at,
        open_invoices.seq,
        open_invoices.open_amount,
        corrected.invoice_id is not null as is_corrected
    from notes
    inner join open_invoices
        on
            notes.tenant_id = open_invoices.tenant_id
            and notes.bill_to_customer_id = open_invoices.customer_id
            and notes.currency = open_invoices.currency
    left join corrected
        on
            notes.tenant_id = corrected.tenant_id
            and notes.document_key = corrected.document_key
            and open_invoices.invoice_id = corrected.invoice_id
    where corrected.invoice_id is not null or (notes.proration_credit <> 'refund' and not open_invoices.is_tolerated)

),

placed as (

    select
        *,
        dense_rank() over (partition by tenant_id, bill_to_customer_id, currency order by document_key) as note_place,
        dense_rank() over (
            partition by tenant_id, bill_to_customer_id, currency order by issued_at, seq, coalesce(invoice_id, invoice_document_key)
        ) as invoice_place
    from candidates

),

limits as (

    select
        attempts.tenant_id,
        attempts.bill_to_customer_id,
        attempts.currency,
        attempts.attempts,
        notes.notes,
        invoices.invoices
    from (
        select
            tenant_id,
            bill_to_customer_id,
            currency,
            list({ 'notes': note_place, 'invoices': invoice_place } order by note_place, not is_corrected, invoice_place) as attempts
        from placed
        group by tenant_id, bill_to_customer_id, currency
    ) as attempts
    inner join (
        select tenant_id, bill_to_customer_id, currency, list(note_amount order by note_place) as notes
        from (select distinct tenant_id, bill_to_customer_id, currency, note_place, note_amount from placed)
        group by tenant_id, bill_to_customer_id, currency
    ) as notes
        on
            attempts.tenant_id = notes.tenant_id
            and attempts.bill_to_customer_id = notes.bill_to_customer_id
            and attempts.currency = notes.currency
    inner join (
        select tenant_id, bill_to_customer_id, currency, list(open_amount order by invoice_place) as invoices
        from (select distinct tenant_id, bill_to_customer_id, currency, invoice_place, open_amount from placed)
        group by tenant_id, bill_to_customer_id, currency
    ) as invoices
        on
            attempts.tenant_id = invoices.tenant_id
            and attempts.bill_to_customer_id = invoices.bill_to_customer_id
            and attempts.currency = invoices.currency

),

taken as (

    select
        tenant_id,
        bill_to_customer_id,
        currency,
        unnest(attempts) as attempt,
        unnest({{ take_in_order('attempts', ['notes', 'invoices']) }}) as amount
    from limits

)

select
    placed.tenant_id,
    placed.document_key,
    placed.invoice_id,
    placed.invoice_document_key,
    placed.bill_to_customer_id as customer_id,
    placed.currency,
    taken.amount
from taken
inner join placed
    on
        taken.tenant_id = placed.tenant_id
        and taken.bill_to_customer_id = placed.bill_to_customer_id
        and taken.currency = placed.currency
        and taken.attempt.notes = placed.note_place
        and taken.attempt.invoices = placed.invoice_place
where taken.amount > 0
