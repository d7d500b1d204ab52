-- Identity 2. Per tenant and currency: what is owed by now = what was billed + what the next run bills. Fails when an amount is neither
-- on a document nor on its way to one, or is on both. What waits for a price stands aside until it has one.
with

waiting as (

    select distinct slice_id
    from {{ ref('int_rating__unpriced') }}
    where status <> 'unmatched_price'

),

amounts as (

    select
        tenant_id,
        currency,
        amount as owed,
        0 as billed,
        0 as due
    from {{ ref('int_invoicing__should_lines') }}
    where slice_id not in (select slice_id from waiting)
    union all
    select
        tenant_id,
        currency,
        0 as owed,
        amount as billed,
        0 as due
    from {{ ref('invoice_lines') }}
    where
        line_type in ('recurring', 'usage', 'one_time', 'minimum', 'adjustment')
        and slice_id not in (select slice_id from waiting)
    union all
    select
        tenant_id,
        currency,
        0 as owed,
        0 as billed,
        amount as due
    from {{ ref('int_invoicing__due_lines') }}

)

select
    tenant_id,
    currency,
    sum(owed) as owed,
    sum(billed) as billed,
    sum(due) as due
from amounts
group by tenant_id, currency
having sum(owed) <> sum(billed) + sum(due)
