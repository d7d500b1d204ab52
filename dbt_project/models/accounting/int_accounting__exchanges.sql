-- Money that the processor changed into the currency of the account: it leaves clearing in the one and enters it in the other. What the rate
-- of the processor differs from that of the day is a gain or a loss.
with

sources as (

    select
        tenant_id,
        unnest([payment_id, provider_id]) as source_id,
        'payment' as kind,
        currency,
        amount
    from {{ ref('stg_ratehouse__payments') }}
    where status = 'succeeded'
    union
    select
        tenant_id,
        refund_id as source_id,
        'refund' as kind,
        currency,
        -amount as amount
    from {{ ref('stg_ratehouse__refund_states') }}
    where coalesce(status, 'succeeded') = 'succeeded' and state_no = 1

)

select
    movements.tenant_id,
    movements.balance_transaction_id,
    movements.available_on as moved_on,
    unnest([sources.currency, movements.currency]) as currency,
    unnest([-sources.amount, movements.gross]) as amount
from {{ ref('stg_ratehouse__balance_transactions') }} as movements
inner join sources
    on
        movements.tenant_id = sources.tenant_id
        and movements.source_id = sources.source_id
        and movements.currency <> sources.currency
        and case sources.kind when 'refund' then movements.reporting_category = 'refund' else movements.reporting_category in ('charge', 'payment') end
where movements.available_on is not null
