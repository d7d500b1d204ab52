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
        list({
            'from_pot': list_position(pots.pots, movements.from_pot),
            'from_second_pot': list_position(pots.pots, movements.from_second_pot),
            'to_pot': list_position(pots.pots, movements.to_pot),
            'to_second_pot': list_position(pots.pots, movements.to_second_pot),
            'needed_pot': list_position(pots.pots, movements.needed_pot),
            'cap': cast(movements.cap as decimal(20, 4)),
            'is_whole': coalesce(movements.is_whole, false)
        } order by movements.movement_no) as movements
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
        unnest({{ move_in_order('movements', 'pots') }}) as amount,
        unnest(range(1, len(movements) + 1)) as movement_no
    from listed

)

select
    movements.tenant_id,
    movements.account,
    movements.movement_no,
    movements.kind,
    movements.moved_at,
    movements.payment_id,
    movements.invoice_id,
    movements.note_id,
    movements.flow_id,
    movements.rule,
    folded.amount,
    -- What it does to the open amount of its invoice.
    cast(case
        when movements.kind in ('issued', 'reopened', 'unmatched') then folded.amount
        when movements.kind in ('noted', 'applied', 'voided') then -folded.amount
        else 0
    end as decimal(20, 4)) as opens,
    -- When money of its payment first paid its invoice.
    min(movements.moved_at) filter (where movements.kind = 'applied' and folded.amount > 0) over (
        partition by movements.tenant_id, movements.invoice_id, movements.payment_id
    ) as applied_at
from movements
inner join folded
    on
        movements.tenant_id = folded.tenant_id
        and movements.account = folded.account
        and movements.movement_no = folded.movement_no
where folded.amount > 0 or movements.kind = 'issued' or (movements.is_whole and movements.cap = 0)
