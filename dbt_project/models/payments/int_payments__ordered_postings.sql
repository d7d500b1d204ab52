-- What the movements of an account came to that need an order: folded in it, each taking what those before it left.
with

movements as (

    select * from {{ ref('int_payments__movements') }}

),

pots as (

    select
        tenant_id,
        account,
        list(distinct pot order by pot) as pots
    from (
        select
            tenant_id,
            account,
            unnest([from_pot, from_second_pot, to_pot, to_second_pot, needed_pot]) as pot
        from movements
    )
    where pot is not null
    group by tenant_id, account

),

listed as (

    select
        movements.tenant_id,
        movements.account,
        any_value(pots.pots) as pots,
        -- In the order of what comes first in each.
        list_sort(list({
            'movement_no': movements.movement_no,
            'kind': movements.kind,
            'moved_at': movements.moved_at,
            'payment_id': movements.payment_id,
            'invoice_id': movements.invoice_id,
            'note_id': movements.note_id,
            'flow_id': movements.flow_id,
            'rule': movements.rule,
            'from_pot': list_position(pots.pots, movements.from_pot),
            'from_second_pot': list_position(pots.pots, movements.from_second_pot),
            'to_pot': list_position(pots.pots, movements.to_pot),
            'to_second_pot': list_position(pots.pots, movements.to_second_pot),
            'needed_pot': list_position(pots.pots, movements.needed_pot),
            'cap': cast(movements.cap as decimal(20, 4)),
            'most': cast(movements.most as decimal(20, 4)),
            'is_whole': coalesce(movements.is_whole, false)
        })) as movements
    from movements
    inner join pots
        on
            movements.tenant_id = pots.tenant_id
            and movements.account = pots.account
    group by movements.tenant_id, movements.account

),

folded as (

    select
        tenant_id,
        account,
        unnest(movements) as movement,
        unnest({{ move_in_order('movements', 'pots') }}) as amount
    from listed

)

select
    tenant_id,
    account,
    movement.movement_no,
    movement.kind,
    movement.moved_at,
    movement.payment_id,
    movement.invoice_id,
    movement.note_id,
    movement.flow_id,
    movement.rule,
    amount,
    -- What it does to the open amount of its invoice.
    cast(case
        when movement.kind in ('issued', 'reopened', 'unmatched', 'not_tolerated', 'not_withheld') then amount
        when movement.kind in ('noted', 'applied', 'voided', 'tolerated', 'withheld') then -amount
        else 0
    end as decimal(20, 4)) as opens
from folded
where amount > 0 or movement.kind = 'issued' or (movement.is_whole and movement.cap = 0)
