-- Proof 2, of the processor (identity 11). Per tenant and currency: Σ net of all movements = Σ payouts − what reconciliation names as their
-- difference + what is not paid out yet. `residual` is what nobody has named, signed. Failed payouts brought nothing.
with

movements as (

    select
        transactions.tenant_id,
        transactions.currency,
        transactions.net,
        case when payouts.payout_id is null or payouts.status in ('failed', 'canceled', 'cancelled') then transactions.net else 0 end as not_paid_out,
        0 as paid_out,
        0 as named
    from {{ ref('stg_ratehouse__balance_transactions') }} as transactions
    left join {{ ref('stg_ratehouse__payouts') }} as payouts
        on
            transactions.tenant_id = payouts.tenant_id
            and transactions.payout_id = payouts.payout_id
    where coalesce(transactions.reporting_category, '') not in ('payout', 'payout_reversal')
    union all
    select
        tenant_id,
        currency,
        0 as net,
        0 as not_paid_out,
        actual_amount as paid_out,
        difference as named
    from {{ ref('reconciliation_items') }}
    where area = 'processor' and rule = 'payout_id' and status in ('matched', 'payout_mismatch')

)

select
    tenant_id,
    currency,
    sum(net) as net,
    sum(paid_out) as paid_out,
    sum(not_paid_out) as not_paid_out,
    sum(named) as named,
    sum(net) - sum(paid_out) - sum(not_paid_out) + sum(named) as residual
from movements
group by tenant_id, currency
having sum(net) - sum(paid_out) - sum(not_paid_out) + sum(named) <> 0
