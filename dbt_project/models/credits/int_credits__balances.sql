-- Every grant as it stands today: its refills and draws folded in the order of days, a day's refill before its draws. Money that was
-- sent back uses up the grant of the note that promised it.
with

grants as (

    select * from {{ ref('int_credits__grants') }}

),

sent_back as (

    select
        notes.tenant_id,
        notes.invoice_number as grant_id,
        {{ local_date('postings.moved_at', 'notes.timezone') }} as drawn_on,
        postings.amount as measure
    from {{ ref('int_credits__sent_back') }} as postings
    inner join {{ ref('stg_ratehouse__issued_invoices') }} as notes
        on
            postings.tenant_id = notes.tenant_id
            and postings.note_id = notes.invoice_id
    -- What is promised as money is in no grant.
    where (notes.tenant_id, notes.invoice_id) not in (select (tenant_id, note_id) from {{ ref('int_credits__promised_refunds') }})

),

draws as (

    select
        tenant_id,
        grant_id,
        drawn_on,
        sum(measure) as measure
    from (
        select
            tenant_id,
            grant_id,
            drawn_on,
            measure
        from {{ ref('stg_ratehouse__credit_draws') }}
        union all
        select * from sent_back
    )
    group by tenant_id, grant_id, drawn_on

),

refills as (

    select
        *,
        unnest(generate_series(0, case refilled_every
            when 'month' then datediff('month', effective_on, greatest(today, effective_on))
            when 'week' then datediff('day', effective_on, greatest(today, effective_on)) // 7
            when 'day' then datediff('day', effective_on, greatest(today, effective_on))
            else 0
        end)) as refill_no
    from grants

),

refilled as (

    select
        *,
        {{ period_boundary(
            'effective_on', 'day(effective_on)', "case when refilled_every = 'month' then 1 end",
            "case refilled_every when 'week' then 7 else 1 end", 'refill_no'
        ) }} as refill_on
    from (select * replace (coalesce(refilled_every, 'day') as refilled_every) from refills)

),

movements as (

    select
        tenant_id,
        grant_id,
        refill_on as on_day,
        0 as day_order,
        amount
    from refilled
    where refill_no = 0 or (refill_on <= today and refill_on < coalesce(ends_on, date '9999-12-31'))
    union all
    select
        tenant_id,
        grant_id,
        drawn_on as on_day,
        1 as day_order,
        measure as amount
    from draws

),

listed as (

    select
        movements.tenant_id,
        movements.grant_id,
        list(
            { 'draws': movements.day_order = 1, 'amount': cast(movements.amount as decimal(28, 10)), 'keeps_at_most': grants.rollover_max }
            order by movements.on_day, movements.day_order
        ) as movements,
        cast(sum(case when movements.day_order = 0 then movements.amount else 0 end) as decimal(28, 10)) as granted,
        cast(sum(case when movements.day_order = 1 then movements.amount else 0 end) as decimal(28, 10)) as drawn
    from movements
    inner join grants
        on
            movements.tenant_id = grants.tenant_id
            and movements.grant_id = grants.grant_id
    group by movements.tenant_id, movements.grant_id

),

folded as (

    select
        grants.*,
        listed.granted,
        listed.drawn,
        -- A refill keeps of the rest what may roll over.
        list_reduce(
            listed.movements,
            lambda rest, movement: cast(
                case when movement.draws then rest - movement.amount else least(rest, movement.keeps_at_most) + movement.amount end
                as decimal(28, 10)
            ),
            cast(0 as decimal(28, 10))
        ) as rest
    from grants
    inner join listed
        on
            grants.tenant_id = listed.tenant_id
            and grants.grant_id = listed.grant_id

)

select
    * exclude (rest),
    case when ends_on <= today then cast(0 as decimal(28, 10)) else rest end as remaining,
    cast(granted - drawn - case when ends_on <= today then 0 else rest end as decimal(28, 10)) as expired
from folded
