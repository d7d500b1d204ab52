with

documents as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}

),

moved as (

    select
        tenant_id,
        invoice_id,
        kind,
        moved_at,
        payment_id,
        note_id,
        movement_no,
        opens
    from {{ ref('int_payments__postings') }}
    where invoice_id is not null and opens <> 0
    union all by name
    -- What is given up within a tolerance is a movement of the account.
    select
        tenant_id,
        invoice_id,
        'written_off' as kind,
        moved_at,
        row_number() over (partition by tenant_id, invoice_id order by moved_at) as movement_no,
        -amount as opens
    from {{ ref('int_payments__given_up') }}
    where reason = 'uncollectible'

)

select
    moved.tenant_id,
    documents.customer_id,
    moved.invoice_id,
    documents.invoice_number,
    documents.due_on,
    moved.kind,
    moved.movement_no,
    case
        when moved.kind = 'issued' then documents.bill_date
        else greatest({{ local_date('moved.moved_at', 'documents.timezone') }}, documents.bill_date)
    end as moved_on,
    moved.moved_at,
    moved.payment_id,
    moved.note_id,
    cast(moved.opens as decimal(20, 4)) as amount,
    documents.currency
from moved
inner join documents
    on
        moved.tenant_id = documents.tenant_id
        and moved.invoice_id = documents.invoice_id
