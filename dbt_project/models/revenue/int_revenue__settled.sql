-- All revenue as it is posted, in minor units: a closed month keeps what was posted when it was closed; what turns out different since keeps its
-- performance month and posts to the first open one, also where that one still runs (int_revenue__recognised has complete months).
-- depends_on: {{ ref('int_revenue__changed_contracts') }}
{{ config(materialized='by_contract') }}
with

earned as (

    select * from {{ ref('int_revenue__earned') }}

),

posted as (

    select
        revenue.*,
        currencies.minor_digits
    from {{ ref('stg_ratehouse__closed_revenue') }} as revenue
    inner join {{ ref('currencies') }} as currencies on revenue.currency = currencies.currency

),

closed as (

    select * from {{ ref('int_revenue__last_closes') }}

),

kept as (

    select
        tenant_id,
        contract_id,
        obligation_id,
        period,
        posting_period,
        method,
        {{ to_minor('recognised', 'minor_digits') }} as recognised,
        {{ to_minor('breakage', 'minor_digits') }} as breakage,
        {{ to_minor('prior_performance', 'minor_digits') }} as prior_performance
    from posted

),

-- What closed months differ by from what was posted goes to the first open one.
settled as (

    select * from kept
    union all
    select
        earned.tenant_id,
        earned.contract_id,
        earned.obligation_id,
        earned.period,
        greatest(earned.posting_period, closed.open_period) as posting_period,
        earned.method,
        earned.recognised,
        earned.breakage,
        case when earned.posting_period <= closed.last_period then earned.recognised else earned.prior_performance end as prior_performance
    from earned
    left join closed on earned.tenant_id = closed.tenant_id
    union all
    select
        kept.tenant_id,
        kept.contract_id,
        kept.obligation_id,
        kept.period,
        closed.open_period as posting_period,
        kept.method,
        -kept.recognised as recognised,
        -kept.breakage as breakage,
        -kept.recognised as prior_performance
    from kept
    inner join closed on kept.tenant_id = closed.tenant_id

)

select
    tenant_id,
    contract_id,
    obligation_id,
    period,
    posting_period,
    min(method) as method,
    cast(sum(recognised) as hugeint) as recognised,
    cast(sum(breakage) as hugeint) as breakage,
    cast(sum(prior_performance) as hugeint) as prior_performance
from settled
group by tenant_id, contract_id, obligation_id, period, posting_period
having sum(recognised) <> 0
