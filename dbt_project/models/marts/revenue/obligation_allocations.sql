-- The price of each obligation over the life of its contract, as it stands at the last complete month.
with

progress as (

    select * from {{ ref('int_revenue__progress') }}
    where is_last_epoch

),

contracts as (

    select * from {{ ref('int_revenue__contracts') }}

),

parts as (

    select
        tenant_id,
        contract_id,
        obligation_id,
        as_of,
        allocated
    from {{ ref('int_revenue__schedules') }}
    union all
    select
        tenant_id,
        contract_id,
        obligation_id,
        as_of,
        allocated
    from {{ ref('int_revenue__dated_schedules') }}
    union all
    select
        tenant_id,
        contract_id,
        obligation_id,
        as_of,
        allocated
    from {{ ref('int_revenue__financing') }}
    union all
    select
        tenant_id,
        contract_id,
        obligation_id,
        as_of,
        allocated
    from {{ ref('int_revenue__line_schedules') }}

),

latest as (

    select
        *,
        dense_rank() over (partition by tenant_id, contract_id order by as_of desc) as recency
    from parts

)

select
    latest.tenant_id,
    latest.contract_id,
    latest.obligation_id,
    max(progress.effective_ssp) as ssp,
    {{ from_minor('sum(latest.allocated)', 'min(contracts.minor_digits)') }} as allocated,
    min(contracts.currency) as currency
from latest
inner join contracts
    on
        latest.tenant_id = contracts.tenant_id
        and latest.contract_id = contracts.contract_id
left join progress
    on
        latest.tenant_id = progress.tenant_id
        and latest.contract_id = progress.contract_id
        and latest.obligation_id = progress.obligation_id
        and latest.as_of = progress.as_of
where latest.recency = 1
group by latest.tenant_id, latest.contract_id, latest.obligation_id
