-- Taxes that customers kept of invoices, as they and their proofs become known: what is kept, and what of it is certified. A proof that comes before the
-- payment counts once the tax is kept.
with

moved as (

    select
        postings.tenant_id,
        postings.invoice_id,
        postings.moved_at,
        sum(case postings.kind when 'withheld' then postings.amount else -postings.amount end) as withheld,
        0 as certified
    from {{ ref('int_payments__ordered_postings') }} as postings
    where postings.kind in ('withheld', 'not_withheld')
    group by postings.tenant_id, postings.invoice_id, postings.moved_at
    union all
    select
        certificates.tenant_id,
        invoices.invoice_id,
        certificates.counts_from as moved_at,
        0 as withheld,
        certificates.amount as certified
    from {{ ref('stg_ratehouse__withholding_certificates') }} as certificates
    inner join {{ ref('stg_ratehouse__issued_invoices') }} as invoices
        on
            certificates.tenant_id = invoices.tenant_id
            and certificates.invoice_number = invoices.invoice_number
            and certificates.currency = invoices.currency
    where certificates.status = 'received'

),

standing as (

    select
        tenant_id,
        invoice_id,
        moved_at,
        sum(sum(withheld)) over history as withheld_amount,
        least(sum(sum(withheld)) over history, sum(sum(certified)) over history) as certified_amount
    from moved
    group by tenant_id, invoice_id, moved_at
    window history as (partition by tenant_id, invoice_id order by moved_at)

)

select
    tenant_id,
    invoice_id,
    moved_at,
    cast(withheld_amount as decimal(20, 4)) as withheld_amount,
    cast(certified_amount as decimal(20, 4)) as certified_amount,
    cast(withheld_amount - coalesce(lag(withheld_amount) over history, 0) as decimal(20, 4)) as withheld_change,
    cast(certified_amount - coalesce(lag(certified_amount) over history, 0) as decimal(20, 4)) as certified_change
from standing
window history as (partition by tenant_id, invoice_id order by moved_at)
