-- Cash, processor and bank, with what people let stand. What was accepted of a difference is taken from it; an item of which nothing is left
-- is accepted. If more is found later, or the item has another class by then, the rest is an exception again.
with

tenants as (

    select
        tenant_id,
        {{ local_date('billing_as_of', 'timezone') }} as today
    from {{ ref('stg_ratehouse__tenants') }}

),

items as (

    select * from {{ ref('int_reconciliation__cash') }}
    union all by name
    select * from {{ ref('int_reconciliation__processor') }}
    union all by name
    select * from {{ ref('int_reconciliation__bank') }}

),

accepted as (

    select * from {{ ref('stg_ratehouse__manual_acceptances') }}
    where action = 'accept' and replaced_at is null

),

-- Nothing is posted for cash, so there an item is accepted as it is, or not at all.
compared as (

    select
        items.*,
        coalesce(items.difference, items.actual_amount, 0) = accepted.amount as is_accepted,
        accepted.acceptance_id is not null and (items.area <> 'cash' or is_accepted) as is_lowered,
        accepted.amount as accepted_amount,
        accepted.account_role,
        accepted.decided_by as accepted_by,
        accepted.decided_at as accepted_at
    from items
    left join accepted
        on
            items.tenant_id = accepted.tenant_id
            and items.area = accepted.area
            and items.status = accepted.item_status
            and items.reference = accepted.reference
            and items.currency is not distinct from accepted.currency

),

decided as (

    select
        * exclude (is_accepted, is_lowered, account_role, accepted_by, accepted_at) replace (
            case when is_lowered then accepted_amount else cast(0 as decimal(20, 4)) end as accepted_amount,
            case when is_lowered and is_accepted then 'accepted' else status end as status,
            case when is_lowered then 'manual' else rule end as rule,
            case when is_lowered then nullif(concat_ws(', ', counterpart, account_role), '') else counterpart end as counterpart,
            case when is_lowered then accepted_by else decided_by end as decided_by,
            case when is_lowered then accepted_at else decided_at end as decided_at,
            case when is_lowered then cast(coalesce(expected_amount, 0) + accepted_amount as decimal(20, 4)) else expected_amount end as expected_amount,
            case
                when is_lowered then cast(actual_amount - coalesce(expected_amount, 0) - accepted_amount as decimal(20, 4))
                else difference
            end as difference
        )
    from compared

),

-- What was accepted of an item that is there no more: its posting stands until somebody withdraws it.
without_effect as (

    select
        accepted.tenant_id,
        accepted.area,
        'acceptance_without_effect' as status,
        accepted.reference,
        accepted.item_status as rule,
        accepted.account_role as counterpart,
        accepted.decided_by,
        accepted.decided_at,
        cast(0 as decimal(20, 4)) as expected_amount,
        accepted.amount as actual_amount,
        accepted.amount as difference,
        accepted.amount as accepted_amount,
        accepted.currency,
        cast(greatest(datediff('day', cast(accepted.decided_at as date), tenants.today), 0) as integer) as age_days
    from accepted
    inner join tenants on accepted.tenant_id = tenants.tenant_id
    left join items
        on
            accepted.tenant_id = items.tenant_id
            and accepted.area = items.area
            and accepted.item_status = items.status
            and accepted.reference = items.reference
            and accepted.currency is not distinct from items.currency
    where items.reference is null

)

select * from decided
union all by name
select * from without_effect
