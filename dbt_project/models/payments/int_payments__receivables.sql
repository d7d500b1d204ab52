-- Issued invoices with what became of their money today: open, in dispute, given up as uncollectible or recovered after that.
with

open_amounts as (

    select * from {{ ref('int_credits__open_amounts') }}

),

disputed as (

    select distinct
        tenant_id,
        invoice_id
    from {{ ref('int_dunning__holds') }}
    where is_disputed and held_until is null

),

-- What was open when it was given up.
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

),

given_up as (

    select
        written_off.tenant_id,
        written_off.invoice_id,
        written_off.written_off_at,
        coalesce(sum(postings.opens) filter (where postings.moved_at <= written_off.written_off_at), 0) as amount,
        -- What came after it, less what of that turned out to be for something else.
        coalesce(sum(-postings.opens) filter (
            where
            postings.moved_at > written_off.written_off_at
            and postings.kind in ('applied', 'unmatched')
            and postings.applied_at > written_off.written_off_at
        ), 0) as recovered_amount
    from written_off
    inner join {{ ref('int_payments__postings') }} as postings
        on
            written_off.tenant_id = postings.tenant_id
            and written_off.invoice_id = postings.invoice_id
    group by written_off.tenant_id, written_off.invoice_id, written_off.written_off_at

)

select
    open_amounts.tenant_id,
    open_amounts.invoice_id,
    open_amounts.customer_id,
    open_amounts.currency,
    open_amounts.due_on,
    open_amounts.paid_amount,
    open_amounts.noted_amount,
    open_amounts.voided_amount,
    open_amounts.voided_at,
    given_up.written_off_at,
    -- Of what was given up, what is still not paid.
    cast(case when given_up.invoice_id is null then 0 else least(given_up.amount, open_amounts.open_amount) end as decimal(20, 4)) as written_off_amount,
    cast(coalesce(given_up.recovered_amount, 0) as decimal(20, 4)) as recovered_amount,
    cast(
        case when given_up.invoice_id is null then open_amounts.open_amount else greatest(open_amounts.open_amount - given_up.amount, 0) end
        as decimal(20, 4)
    ) as open_amount,
    disputed.invoice_id is not null as is_disputed
from open_amounts
left join disputed
    on
        open_amounts.tenant_id = disputed.tenant_id
        and open_amounts.invoice_id = disputed.invoice_id
left join given_up
    on
        open_amounts.tenant_id = given_up.tenant_id
        and open_amounts.invoice_id = given_up.invoice_id
