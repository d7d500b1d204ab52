with

postings as (

    select * from {{ ref('int_payments__postings') }}
    where kind in ('applied', 'reopened', 'released', 'unmatched')

),

payments as (

    select * from {{ ref('stg_ratehouse__payments') }}

),

allocated as (

    select
        tenant_id,
        payment_id,
        invoice_id,
        max_by(rule, movement_no) filter (where kind = 'applied') as rule,
        min(moved_at) filter (where kind = 'applied') as allocated_at,
        sum(case when kind = 'applied' then amount else 0 end) as applied_amount,
        sum(case when kind <> 'applied' then amount else 0 end) as returned_amount
    from postings
    group by tenant_id, payment_id, invoice_id

)

select
    allocated.tenant_id,
    allocated.payment_id,
    allocated.invoice_id,
    invoices.invoice_number,
    invoices.customer_id,
    cast(allocated.applied_amount - allocated.returned_amount as decimal(20, 4)) as amount,
    cast(allocated.applied_amount as decimal(20, 4)) as applied_amount,
    cast(allocated.returned_amount as decimal(20, 4)) as returned_amount,
    payments.currency,
    allocated.allocated_at,
    allocated.rule
from allocated
inner join payments
    on
        allocated.tenant_id = payments.tenant_id
        and allocated.payment_id = payments.payment_id
inner join {{ ref('stg_ratehouse__issued_invoices') }} as invoices
    on
        allocated.tenant_id = invoices.tenant_id
        and allocated.invoice_id = invoices.invoice_id
where allocated.applied_amount > allocated.returned_amount
