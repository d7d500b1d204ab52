-- What is given up of invoices, as it changes: what a ladder wrote off as uncollectible, never more than is open, and what is left by itself within
-- the tenant's tolerance. What money of the customer takes back of it is recovered; a credit note takes back the rest.
with

write_offs as (

    select * from {{ ref('int_payments__write_offs') }}

),

touched as (

    select
        tenant_id,
        invoice_id
    from write_offs
    union
    select
        tenant_id,
        invoice_id
    from {{ ref('int_payments__shortfalls') }}

),

moved as (

    select
        postings.tenant_id,
        postings.invoice_id,
        postings.moved_at,
        sum(postings.opens) as opens,
        sum(case postings.kind when 'tolerated' then postings.amount when 'not_tolerated' then -postings.amount else 0 end) as tolerated_change,
        -sum(case when postings.kind in ('applied', 'reopened', 'unmatched', 'released') then postings.opens else 0 end) as paid,
        min(postings.payment_id) filter (where postings.kind in ('applied', 'reopened', 'unmatched', 'released')) as payment_id
    from {{ ref('int_payments__postings') }} as postings
    inner join touched
        on
            postings.tenant_id = touched.tenant_id
            and postings.invoice_id = touched.invoice_id
    group by postings.tenant_id, postings.invoice_id, postings.moved_at

),

standing as (

    select
        write_offs.tenant_id,
        write_offs.invoice_id,
        moved.moved_at,
        moved.paid,
        moved.payment_id,
        least(write_offs.amount, sum(moved.opens) over (partition by moved.tenant_id, moved.invoice_id order by moved.moved_at)) as amount,
        write_offs.amount as first_amount,
        write_offs.written_off_at
    from write_offs
    inner join moved
        on
            write_offs.tenant_id = moved.tenant_id
            and write_offs.invoice_id = moved.invoice_id

),

changes as (

    select
        tenant_id,
        invoice_id,
        'uncollectible' as reason,
        written_off_at as moved_at,
        cast(null as varchar) as payment_id,
        0 as paid,
        amount
    from write_offs
    union all
    select
        tenant_id,
        invoice_id,
        'uncollectible' as reason,
        moved_at,
        payment_id,
        paid,
        amount - coalesce(lag(amount) over (partition by tenant_id, invoice_id order by moved_at), first_amount) as amount
    from standing
    where moved_at > written_off_at
    union all
    select
        tenant_id,
        invoice_id,
        'tolerance' as reason,
        moved_at,
        payment_id,
        paid,
        tolerated_change as amount
    from moved

)

select
    tenant_id,
    invoice_id,
    reason,
    moved_at,
    payment_id,
    cast(amount as decimal(20, 4)) as amount,
    -- Of what was given up as uncollectible, money that is taken away again is lost again; what is within a tolerance is judged anew.
    cast(case
        when paid > 0 and amount < 0 then least(-amount, paid)
        when paid < 0 and amount > 0 and reason = 'uncollectible' then -least(amount, -paid)
        else 0
    end as decimal(20, 4)) as recovered_amount
from changes
where amount <> 0
