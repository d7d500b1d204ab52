-- The two proofs that end at the bank, per tenant and currency: what is there, what should be, the differences that reconciliation names,
-- and the residual that nobody has named, signed.
--   processor   Σ net of all movements = Σ payouts − their named differences + what is not paid out yet; failed payouts brought nothing
--   bank        Σ of the statements' lines = Σ of what they should hold + their named differences, and every line is in it once
-- What a person accepted of a difference is what should be.
{{ config(materialized='view') }}
with

items as (

    select * from {{ ref('int_reconciliation__items') }}
    where area in ('processor', 'bank')

),

sides as (

    select
        movements.tenant_id,
        'processor' as proof,
        movements.currency,
        movements.net as found_amount,
        case when payouts.payout_id is null or payouts.status in ('failed', 'canceled', 'cancelled') then movements.net else 0 end as expected_amount,
        0 as named_amount,
        0 as found_lines,
        0 as expected_lines
    from {{ ref('int_reconciliation__movements') }} as movements
    left join {{ ref('stg_ratehouse__payouts') }} as payouts
        on
            movements.tenant_id = payouts.tenant_id
            and movements.payout_id = payouts.payout_id
    union all
    select
        items.tenant_id,
        'processor' as proof,
        items.currency,
        0 as found_amount,
        items.actual_amount - items.accepted_amount as expected_amount,
        -items.difference as named_amount,
        0 as found_lines,
        0 as expected_lines
    from items
    inner join {{ ref('stg_ratehouse__payouts') }} as payouts
        on
            items.tenant_id = payouts.tenant_id
            and items.reference = payouts.payout_id
    where
        items.area = 'processor'
        and items.status in ('matched', 'payout_mismatch', 'accepted')
        and coalesce(payouts.status, 'paid') not in ('failed', 'canceled', 'cancelled')
    union all
    select
        tenant_id,
        'bank' as proof,
        currency,
        amount as found_amount,
        0 as expected_amount,
        0 as named_amount,
        1 as found_lines,
        0 as expected_lines
    from {{ ref('stg_ratehouse__bank_lines') }}
    union all
    select
        tenant_id,
        'bank' as proof,
        currency,
        0 as found_amount,
        expected_amount,
        difference as named_amount,
        0 as found_lines,
        1 as expected_lines
    from items
    where
        area = 'bank'
        and status not in ('missing_bank_line', 'missing_statement', 'match_without_effect', 'acceptance_without_effect')
        and (tenant_id, reference) in (select (tenant_id, bank_line_id) from {{ ref('stg_ratehouse__bank_lines') }})

)

select
    tenant_id,
    proof,
    currency,
    cast(sum(found_amount) as decimal(20, 4)) as found_amount,
    cast(sum(expected_amount) as decimal(20, 4)) as expected_amount,
    cast(sum(named_amount) as decimal(20, 4)) as named_amount,
    cast(sum(found_amount) - sum(expected_amount) - sum(named_amount) as decimal(20, 4)) as residual,
    sum(found_lines) - sum(expected_lines) as lines_left
from sides
group by tenant_id, proof, currency
