-- What is still open of invoices whose movements need an order: what was due less what was paid on it and what credit notes took off, as the
-- movements of its account came to.
with

invoices as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}
    where kind = 'invoice'

),

posted as (

    select
        tenant_id,
        invoice_id,
        sum(case when kind = 'applied' then amount when kind in ('reopened', 'released', 'unmatched') then -amount else 0 end) as paid_amount,
        sum(case when kind = 'noted' then amount else 0 end) as noted_amount,
        sum(case when kind in ('voided', 'released') then amount else 0 end) as voided_amount,
        sum(case kind when 'tolerated' then amount when 'not_tolerated' then -amount else 0 end) as tolerated_amount,
        sum(case kind when 'withheld' then amount when 'not_withheld' then -amount else 0 end) as withheld_amount,
        min(moved_at) filter (where kind = 'voided') as voided_at,
        sum(opens) as open_amount
    from {{ ref('int_payments__ordered_postings') }}
    -- A draw on a grant of the account is a movement of it, whichever invoice drew: that alone ties no invoice.
    where (tenant_id, invoice_id) in (select (tenant_id, invoice_id) from {{ ref('int_payments__tied_invoices') }})
    group by tenant_id, invoice_id

)

select
    invoices.tenant_id,
    invoices.invoice_id,
    invoices.invoice_number,
    invoices.customer_id,
    invoices.currency,
    invoices.issued_at,
    invoices.seq,
    invoices.due_on,
    posted.voided_at,
    cast(posted.paid_amount as decimal(20, 4)) as paid_amount,
    cast(posted.noted_amount as decimal(20, 4)) as noted_amount,
    cast(posted.voided_amount as decimal(20, 4)) as voided_amount,
    cast(posted.tolerated_amount as decimal(20, 4)) as tolerated_amount,
    cast(posted.withheld_amount as decimal(20, 4)) as withheld_amount,
    cast(posted.open_amount as decimal(20, 4)) as open_amount
from invoices
inner join posted
    on
        invoices.tenant_id = posted.tenant_id
        and invoices.invoice_id = posted.invoice_id
