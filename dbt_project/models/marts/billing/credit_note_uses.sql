with

notes as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}
    where kind = 'credit_note'

),

uses as (

    select
        tenant_id,
        credit_note_id,
        'open_invoice' as use,
        invoice_id,
        cast(null as varchar) as payment_id,
        amount,
        cast(null as date) as used_on
    from {{ ref('stg_ratehouse__credit_note_uses') }}
    union all
    select
        draws.tenant_id,
        notes.invoice_id as credit_note_id,
        'drawn' as use,
        draws.invoice_id,
        cast(null as varchar) as payment_id,
        draws.amount,
        draws.drawn_on as used_on
    from {{ ref('stg_ratehouse__credit_draws') }} as draws
    inner join notes
        on
            draws.tenant_id = notes.tenant_id
            and draws.grant_id = notes.invoice_number
    union all
    select
        postings.tenant_id,
        postings.note_id as credit_note_id,
        'sent_back' as use,
        cast(null as varchar) as invoice_id,
        postings.payment_id,
        postings.amount,
        {{ local_date('postings.moved_at', 'notes.timezone') }} as used_on
    from {{ ref('int_credits__sent_back') }} as postings
    inner join notes
        on
            postings.tenant_id = notes.tenant_id
            and postings.note_id = notes.invoice_id

)

select
    notes.tenant_id,
    notes.invoice_id as note_id,
    notes.invoice_number as note_number,
    notes.customer_id,
    uses.use,
    invoices.invoice_id,
    invoices.invoice_number,
    uses.payment_id,
    cast(sum(uses.amount) as decimal(20, 4)) as amount,
    notes.currency,
    coalesce(uses.used_on, notes.bill_date) as used_on
from notes
inner join uses
    on
        notes.tenant_id = uses.tenant_id
        and notes.invoice_id = uses.credit_note_id
left join {{ ref('stg_ratehouse__issued_invoices') }} as invoices
    on
        uses.tenant_id = invoices.tenant_id
        and uses.invoice_id = invoices.invoice_id
group by all
