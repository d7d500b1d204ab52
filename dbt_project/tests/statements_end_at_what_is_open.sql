-- Identity. Per tenant, customer and currency: the balance of the account = open invoices − money that waits − what is left of credit
-- notes + what went back beyond what had come, which reconciliation names. Fails when a statement would end at another amount than the
-- receivables say.
with

payers as (

    select
        tenant_id,
        payment_id,
        min(account_id) as customer_id,
        min(currency) as currency
    from {{ ref('int_payments__references') }}
    group by tenant_id, payment_id

),

used as (

    select
        tenant_id,
        flow_id,
        sum(amount) as amount
    from {{ ref('int_payments__postings') }}
    where kind in ('returned_from_grant', 'returned_from_rest', 'returned_from_held', 'reopened')
    group by tenant_id, flow_id

),

amounts as (

    select
        tenant_id,
        customer_id,
        currency,
        amount as balance,
        0 as expected
    from {{ ref('account_movements') }}
    union all
    select
        tenant_id,
        customer_id,
        currency,
        0 as balance,
        amount as expected
    from {{ ref('receivable_movements') }}
    union all
    select
        tenant_id,
        customer_id,
        currency,
        0 as balance,
        cast(-remaining as decimal(20, 4)) as expected
    from {{ ref('credit_balances') }}
    where kind = 'credit_note'
    union all
    -- Money in less what of it pays an invoice.
    select
        payers.tenant_id,
        payers.customer_id,
        payers.currency,
        0 as balance,
        case postings.kind
            when 'received' then -postings.amount
            when 'applied' then postings.amount
            when 'released' then -postings.amount
            when 'unmatched' then -postings.amount
            when 'held' then postings.amount
            when 'granted_again' then postings.amount
            when 'freed' then -postings.amount
            when 'returned_from_rest' then postings.amount
            else 0
        end as expected
    from {{ ref('int_payments__postings') }} as postings
    inner join payers
        on
            postings.tenant_id = payers.tenant_id
            and postings.payment_id = payers.payment_id
    union all
    select
        payers.tenant_id,
        payers.customer_id,
        payers.currency,
        0 as balance,
        cast(-flows.amount - coalesce(used.amount, 0) as decimal(20, 4)) as expected
    from {{ ref('int_payments__flows') }} as flows
    inner join payers
        on
            flows.tenant_id = payers.tenant_id
            and flows.payment_id = payers.payment_id
    left join used
        on
            flows.tenant_id = used.tenant_id
            and flows.flow_id = used.flow_id
    where flows.amount < 0

),

-- A tenant that gives money back leaves no credit of a note; what was not sent back yet is due as a refund, not on the account.
refunding as (

    select tenant_id
    from {{ ref('stg_ratehouse__tenants') }}
    where proration_credit = 'refund'

)

select
    tenant_id,
    customer_id,
    currency,
    sum(balance) as balance,
    sum(expected) as expected
from amounts
-- Money of which nobody knows whose it is stands in no statement; reconciliation names it.
where customer_id is not null and tenant_id not in (select tenant_id from refunding)
group by tenant_id, customer_id, currency
having sum(balance) <> sum(expected)
