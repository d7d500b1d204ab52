-- Capitalised costs as the journal has them: closed months as they were posted, what is learned of them later in the first open one.
with

costs as (

    select * from {{ ref('int_revenue__costs') }}

),

moved as (

    select
        tenant_id,
        contract_id,
        substr(owner, length(contract_id) + 2) as cost_id,
        strftime(posted_on, '%Y-%m') as period,
        currency,
        minor_digits,
        case when kind = 'cost' then amount else 0 end as capitalised,
        case when kind = 'cost' then 0 else amount end as amortised,
        0 as impaired
    from {{ ref('int_accounting__journal') }}
    where account_role = 'contract_cost'
    union all
    -- Months in which nothing moves are shown too, from the first in which the cost was known.
    select
        tenant_id,
        contract_id,
        cost_id,
        period,
        currency,
        minor_digits,
        0 as capitalised,
        0 as amortised,
        -impaired as impaired
    from costs
    where opens_on is null or as_of >= opens_on

),

months as (

    select
        tenant_id,
        contract_id,
        cost_id,
        period,
        currency,
        minor_digits,
        cast(sum(capitalised) as hugeint) as capitalised,
        cast(sum(amortised) as hugeint) as amortised,
        cast(sum(impaired) as hugeint) as impaired,
        cast(sum(sum(capitalised + amortised)) over (partition by tenant_id, contract_id, cost_id order by period) as hugeint) as closing
    from moved
    group by tenant_id, contract_id, cost_id, period, currency, minor_digits

),

kinds as (

    select
        tenant_id,
        contract_id,
        cost_id,
        min(kind) as kind
    from costs
    group by tenant_id, contract_id, cost_id

)

select
    months.tenant_id,
    months.contract_id,
    months.cost_id,
    kinds.kind,
    months.period,
    {{ from_minor('months.closing - months.capitalised - months.amortised', 'months.minor_digits') }} as opening,
    {{ from_minor('months.capitalised', 'months.minor_digits') }} as capitalised,
    {{ from_minor('months.amortised', 'months.minor_digits') }} as amortised,
    {{ from_minor('months.impaired', 'months.minor_digits') }} as impaired,
    {{ from_minor('months.closing', 'months.minor_digits') }} as closing,
    months.currency
from months
left join kinds
    on
        months.tenant_id = kinds.tenant_id
        and months.contract_id = kinds.contract_id
        and months.cost_id = kinds.cost_id
