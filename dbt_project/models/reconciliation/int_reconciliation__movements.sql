-- Movements on the account with a processor, each with the payout that it is in: the one the processor names, or the one that somebody put
-- it into, as payouts that were made by hand need. A movement that somebody took out of its payout is in none.
with

decisions as (

    select * from {{ ref('stg_ratehouse__manual_matches') }}
    where area = 'processor' and replaced_at is null

),

put_in as (

    select
        decisions.tenant_id,
        decisions.left_reference as balance_transaction_id,
        payouts.payout_id,
        decisions.match_id,
        decisions.decided_by,
        decisions.decided_at
    from decisions
    inner join {{ ref('stg_ratehouse__payouts') }} as payouts
        on
            decisions.tenant_id = payouts.tenant_id
            and decisions.right_reference = payouts.payout_id
    where decisions.action = 'match'
    qualify row_number() over (
        partition by decisions.tenant_id, decisions.left_reference order by decisions.decided_at desc, decisions.match_id
    ) = 1

),

taken_out as (

    select * from decisions
    where action = 'unmatch'

)

select
    movements.* exclude (payout_id),
    case
        when put_in.payout_id is not null then put_in.payout_id
        when taken_out.match_id is null then movements.payout_id
    end as payout_id,
    put_in.match_id as payout_match_id,
    put_in.decided_by as payout_decided_by,
    put_in.decided_at as payout_decided_at
from {{ ref('stg_ratehouse__balance_transactions') }} as movements
left join put_in
    on
        movements.tenant_id = put_in.tenant_id
        and movements.balance_transaction_id = put_in.balance_transaction_id
left join taken_out
    on
        movements.tenant_id = taken_out.tenant_id
        and movements.balance_transaction_id = taken_out.left_reference
        and movements.payout_id = taken_out.right_reference
where coalesce(movements.reporting_category, '') not in ('payout', 'payout_reversal')
