-- What is expected to be given back, once its effect is in revenue (606-10-32-10), less what credits and refunds of the
-- component have settled. One row per contract and month end.
with

month_ends as (

    select * from {{ ref('int_revenue__month_ends') }}

),

changes as (

    select * from {{ ref('int_revenue__price_changes') }}
    where kind = 'variable' and not is_dated

),

pools as (

    select
        month_ends.tenant_id,
        month_ends.contract_id,
        month_ends.as_of,
        changes.epoch,
        changes.variable_id as pool,
        changes.variable_id as next_pool,
        'contract' as price_group,
        any_value(changes.obligation_ids) as obligation_ids,
        cast(sum(changes.amount) as hugeint) as amount
    from month_ends
    inner join changes
        on
            month_ends.tenant_id = changes.tenant_id
            and month_ends.contract_id = changes.contract_id
            and month_ends.as_of >= changes.posted_on
    group by month_ends.tenant_id, month_ends.contract_id, month_ends.as_of, changes.epoch, changes.variable_id

),

{{ carry_through_epochs('pools') }},

effects as (

    select
        tenant_id,
        contract_id,
        pool as variable_id,
        as_of,
        sum(recognised) as effect
    from shares
    group by tenant_id, contract_id, pool, as_of
    union all
    select
        month_ends.tenant_id,
        month_ends.contract_id,
        dated.variable_id,
        month_ends.as_of,
        sum(dated.recognised) as effect
    from month_ends
    inner join {{ ref('int_revenue__dated_schedules') }} as dated
        on
            month_ends.tenant_id = dated.tenant_id
            and month_ends.contract_id = dated.contract_id
            and month_ends.period >= dated.posting_period
    where dated.variable_id is not null
    group by month_ends.tenant_id, month_ends.contract_id, dated.variable_id, month_ends.as_of

),

settled as (

    select
        month_ends.tenant_id,
        month_ends.contract_id,
        month_ends.as_of,
        billing.variable_id,
        sum(billing.amount) as amount
    from month_ends
    inner join {{ ref('int_revenue__billing') }} as billing
        on
            month_ends.tenant_id = billing.tenant_id
            and month_ends.contract_id = billing.contract_id
            and month_ends.as_of >= billing.posted_on
            and billing.variable_id is not null
    group by month_ends.tenant_id, month_ends.contract_id, month_ends.as_of, billing.variable_id

)

select
    effects.tenant_id,
    effects.contract_id,
    effects.as_of,
    cast(sum(greatest(-effects.effect - coalesce(settled.amount, 0), 0)) as hugeint) as refund_liability
from effects
left join settled
    on
        effects.tenant_id = settled.tenant_id
        and effects.contract_id = settled.contract_id
        and effects.as_of = settled.as_of
        and effects.variable_id = settled.variable_id
group by effects.tenant_id, effects.contract_id, effects.as_of
