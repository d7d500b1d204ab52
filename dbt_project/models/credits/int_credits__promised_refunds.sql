-- What a refunding tenant's credit notes gave beyond what was open: money back as far as the invoices they correct were paid in money, and
-- credit for what credits had paid of them. Notes of one invoice take of what was paid in the order of their issue.
with

notes as (

    select
        documents.tenant_id,
        documents.invoice_id,
        documents.issued_at,
        documents.series,
        documents.seq,
        documents.total
    from {{ ref('stg_ratehouse__issued_invoices') }} as documents
    inner join {{ ref('stg_ratehouse__tenants') }} as tenants on documents.tenant_id = tenants.tenant_id
    where documents.kind = 'credit_note' and tenants.proration_credit = 'refund'

),

uses as (

    select * from {{ ref('stg_ratehouse__credit_note_uses') }}

),

given as (

    select
        notes.tenant_id,
        notes.invoice_id as note_id,
        row_number() over (partition by notes.tenant_id order by notes.issued_at, notes.series, notes.seq) as note_no,
        cast(-any_value(notes.total) - coalesce(sum(uses.amount), 0) as decimal(20, 4)) as amount
    from notes
    left join uses
        on
            notes.tenant_id = uses.tenant_id
            and notes.invoice_id = uses.credit_note_id
    group by notes.tenant_id, notes.invoice_id, notes.issued_at, notes.series, notes.seq

),

corrected as (

    select distinct
        lines.tenant_id,
        lines.invoice_id as note_id,
        coalesce(originals.replaces_invoice_id, originals.invoice_id) as invoice_id
    from {{ ref('stg_ratehouse__issued_invoice_lines') }} as lines
    inner join notes
        on
            lines.tenant_id = notes.tenant_id
            and lines.invoice_id = notes.invoice_id
    inner join {{ ref('stg_ratehouse__issued_invoice_lines') }} as originals
        on
            lines.tenant_id = originals.tenant_id
            and lines.corrects_line_id = originals.line_id

),

settlements as (

    select
        tenant_id,
        invoice_id,
        total as amount
    from {{ ref('stg_ratehouse__issued_invoices') }}
    union all
    select
        tenant_id,
        invoice_id,
        -amount as amount
    from {{ ref('stg_ratehouse__credit_draws') }}
    union all
    select
        tenant_id,
        invoice_id,
        -amount as amount
    from uses

),

-- Where a note leaves nothing open, money paid what neither credits nor notes did.
paid as (

    select
        corrected.tenant_id,
        corrected.note_id,
        sum(settlements.amount) as amount
    from corrected
    inner join settlements
        on
            corrected.tenant_id = settlements.tenant_id
            and corrected.invoice_id = settlements.invoice_id
    group by corrected.tenant_id, corrected.note_id

),

-- What notes before it gave of the same invoices.
neighbours as (

    select distinct
        corrected.tenant_id,
        corrected.note_id,
        shared.note_id as other_note_id
    from corrected
    inner join corrected as shared
        on
            corrected.tenant_id = shared.tenant_id
            and corrected.invoice_id = shared.invoice_id

),

earlier as (

    select
        neighbours.tenant_id,
        neighbours.note_id,
        sum(others.amount) as amount
    from neighbours
    inner join given
        on
            neighbours.tenant_id = given.tenant_id
            and neighbours.note_id = given.note_id
    inner join given as others
        on
            neighbours.tenant_id = others.tenant_id
            and neighbours.other_note_id = others.note_id
    where others.note_no < given.note_no
    group by neighbours.tenant_id, neighbours.note_id

),

split as (

    select
        given.tenant_id,
        given.note_id,
        given.amount,
        cast(greatest(0, least(given.amount, coalesce(paid.amount, 0) - coalesce(earlier.amount, 0))) as decimal(20, 4)) as refund_amount
    from given
    left join paid
        on
            given.tenant_id = paid.tenant_id
            and given.note_id = paid.note_id
    left join earlier
        on
            given.tenant_id = earlier.tenant_id
            and given.note_id = earlier.note_id
    where given.amount > 0

)

select
    tenant_id,
    note_id,
    refund_amount,
    cast(amount - refund_amount as decimal(20, 4)) as credit_amount
from split
