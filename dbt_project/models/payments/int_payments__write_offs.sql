-- What was given up as uncollectible, and how much was open then.
with

written_off as (

    select
        actions.tenant_id,
        spans.invoice_id,
        min(actions.due_at) as written_off_at
    from {{ ref('int_dunning__actions') }} as actions
    inner join {{ ref('int_dunning__open_spans') }} as spans
        on
            actions.tenant_id = spans.tenant_id
            and actions.customer_id = spans.customer_id
            and actions.currency = spans.currency
            and actions.invoice_id is not distinct from case when actions.invoice_id is not null then spans.invoice_id end
            and actions.due_day >= spans.from_day
            and actions.due_day < spans.to_day
            and actions.due_day > spans.due_on
    where actions.action = 'write_off'
    group by actions.tenant_id, spans.invoice_id

)

select
    written_off.tenant_id,
    written_off.invoice_id,
    written_off.written_off_at,
    coalesce(sum(postings.opens) filter (where postings.moved_at <= written_off.written_off_at), 0) as amount
from written_off
inner join {{ ref('int_payments__postings') }} as postings
    on
        written_off.tenant_id = postings.tenant_id
        and written_off.invoice_id = postings.invoice_id
group by written_off.tenant_id, written_off.invoice_id, written_off.written_off_at
