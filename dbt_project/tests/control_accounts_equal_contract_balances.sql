-- Identity 10. Deferred revenue less contract asset of the journal is the contract's position in the sub-ledger, every month end, and so
-- are the refund liability and the revenue to date. Fails when the journal and the schedules part ways.
with

positions as (

    select * from {{ ref('int_revenue__balances') }}

),

lines as (

    select * from {{ ref('int_accounting__journal') }}

),

balances as (

    select
        positions.tenant_id,
        positions.contract_id,
        positions.period,
        positions.net_position,
        positions.refund_liability,
        positions.recognised_to_date,
        coalesce(-sum(lines.amount) filter (where lines.account_role in ('deferred_revenue', 'contract_asset')), 0) as journal_position,
        coalesce(-sum(lines.amount) filter (where lines.account_role = 'refund_liability'), 0) as journal_refund_liability,
        coalesce(-sum(lines.amount) filter (where lines.account_role in ('revenue', 'breakage_revenue', 'contra_revenue')), 0) as journal_revenue
    from positions
    left join lines
        on
            positions.tenant_id = lines.tenant_id
            and positions.contract_id = lines.contract_id
            and positions.as_of >= lines.posted_on
    group by
        positions.tenant_id, positions.contract_id, positions.period, positions.net_position, positions.refund_liability,
        positions.recognised_to_date

)

select * from balances
where
    net_position <> journal_position
    or refund_liability <> journal_refund_liability
    or recognised_to_date <> journal_revenue
