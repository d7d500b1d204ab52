-- How the contract liabilities of the last complete month run off: what was billed first is earned first, in the order in which it will be
-- recognised. A contract's rows sum to its liability; what waits for use or a measure has no month.
with

positions as (

    select
        positions.*,
        greatest(positions.net_position, 0) as liability
    from {{ ref('int_revenue__balances') }} as positions

),

contracts as (

    select * from {{ ref('int_revenue__contracts') }}

),

liabilities as (

    select
        positions.tenant_id,
        positions.contract_id,
        positions.period,
        positions.as_of,
        positions.liability
    from positions
    inner join contracts
        on
            positions.tenant_id = contracts.tenant_id
            and positions.contract_id = contracts.contract_id
            and positions.as_of = contracts.reported_before - 1
    where positions.liability > 0

),

-- The liability is a stretch from what is earned next to what is earned last. Each month of billing covers a part of it, the newest the end.
billed as (

    select
        liabilities.tenant_id,
        liabilities.contract_id,
        liabilities.liability,
        positions.period as booked_period,
        greatest(positions.billed - positions.credited - positions.refunded, 0) as amount,
        sum(greatest(positions.billed - positions.credited - positions.refunded, 0)) over (
            partition by liabilities.tenant_id, liabilities.contract_id order by positions.as_of desc rows between unbounded preceding and current row
        ) as from_the_end
    from liabilities
    inner join positions
        on
            liabilities.tenant_id = positions.tenant_id
            and liabilities.contract_id = positions.contract_id
            and liabilities.as_of >= positions.as_of

),

layers as (

    select
        tenant_id,
        contract_id,
        booked_period,
        greatest(liability - from_the_end, 0) as begins,
        greatest(liability - from_the_end + amount, 0) as ends
    from billed
    where amount > 0 and liability - from_the_end + amount > 0
    union all
    -- Interest, and bills of before the first month.
    select
        tenant_id,
        contract_id,
        cast(null as varchar) as booked_period,
        0 as begins,
        min(liability) - max(from_the_end) as ends
    from billed
    group by tenant_id, contract_id
    having min(liability) > max(from_the_end)

),

-- Each later month takes the next part of it; a credit that lies ahead takes none.
run_off as (

    select
        run_off.tenant_id,
        run_off.contract_id,
        run_off.period,
        sum(run_off.amount) as amount
    from {{ ref('int_revenue__run_off') }} as run_off
    group by run_off.tenant_id, run_off.contract_id, run_off.period

),

steps as (

    select
        liabilities.tenant_id,
        liabilities.contract_id,
        liabilities.liability,
        run_off.period as future_period,
        greatest(run_off.amount, 0) as amount,
        sum(greatest(run_off.amount, 0)) over (
            partition by liabilities.tenant_id, liabilities.contract_id order by run_off.period rows between unbounded preceding and current row
        ) as so_far
    from liabilities
    inner join run_off
        on
            liabilities.tenant_id = run_off.tenant_id
            and liabilities.contract_id = run_off.contract_id

),

stretches as (

    select
        tenant_id,
        contract_id,
        future_period,
        so_far - amount as begins,
        least(so_far, liability) as ends
    from steps
    where so_far - amount < liability and amount > 0
    union all
    select
        liabilities.tenant_id,
        liabilities.contract_id,
        cast(null as varchar) as future_period,
        coalesce(max(steps.so_far), 0) as begins,
        min(liabilities.liability) as ends
    from liabilities
    left join steps
        on
            liabilities.tenant_id = steps.tenant_id
            and liabilities.contract_id = steps.contract_id
    group by liabilities.tenant_id, liabilities.contract_id
    having coalesce(max(steps.so_far), 0) < min(liabilities.liability)

)

select
    liabilities.tenant_id,
    liabilities.contract_id,
    contracts.customer_id,
    liabilities.period,
    layers.booked_period,
    stretches.future_period,
    coalesce(datediff('month', liabilities.as_of, cast(stretches.future_period || '-01' as date)) <= 12, false) as is_current,
    {{ from_minor('cast(least(layers.ends, stretches.ends) - greatest(layers.begins, stretches.begins) as hugeint)', 'contracts.minor_digits') }} as amount,
    contracts.currency
from liabilities
inner join layers
    on
        liabilities.tenant_id = layers.tenant_id
        and liabilities.contract_id = layers.contract_id
inner join stretches
    on
        layers.tenant_id = stretches.tenant_id
        and layers.contract_id = stretches.contract_id
        and layers.begins < stretches.ends
        and stretches.begins < layers.ends
inner join contracts
    on
        liabilities.tenant_id = contracts.tenant_id
        and liabilities.contract_id = contracts.contract_id
