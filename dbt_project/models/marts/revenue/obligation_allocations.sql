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

),

-- Of a subscription all that was billed, or used and not yet billed, so far.
items as (

    select
        tenant_id,
        contract_id,
        obligation_id,
        item_id,
        arg_max(allocated, as_of) as allocated
    from {{ ref('int_revenue__line_schedules') }}
    group by tenant_id, contract_id, obligation_id, item_id

),

charges as (

    select
        tenant_id,
        subscription_id as contract_id,
        charge as obligation_id,
        max(ssp) as ssp
    from {{ ref('int_revenue__invoice_lines') }}
    group by tenant_id, subscription_id, charge

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
union all
select
    items.tenant_id,
    items.contract_id,
    items.obligation_id,
    cast(max(charges.ssp) as decimal(38, 12)) as ssp,
    {{ from_minor('sum(items.allocated)', 'min(contracts.minor_digits)') }} as allocated,
    min(contracts.currency) as currency
from items
inner join contracts
    on
        items.tenant_id = contracts.tenant_id
        and items.contract_id = contracts.contract_id
left join charges
    on
        items.tenant_id = charges.tenant_id
        and items.contract_id = charges.contract_id
        and items.obligation_id = charges.obligation_id
group by items.tenant_id, items.contract_id, items.obligation_id
