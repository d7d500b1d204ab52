-- All revenue by what is known now, in minor units: one row per contract, obligation, performance month and the month that it falls into,
-- none for zero. What of it was posted is settled by closes (int_revenue__recognised).
-- depends_on: {{ ref('int_revenue__changed_contracts') }}
{{ config(materialized='by_contract') }}
with

parts as (

    select
        tenant_id,
        contract_id,
        obligation_id,
        recognise as method,
        period,
        period as posting_period,
        recognised,
        breakage,
        prior_performance
    from {{ ref('int_revenue__schedules') }}
    union all by name
    select
        tenant_id,
        contract_id,
        obligation_id,
        recognise as method,
        period,
        posting_period,
        recognised,
        case when posting_period > period then recognised else 0 end as prior_performance
    from {{ ref('int_revenue__dated_schedules') }}
    union all by name
    select
        tenant_id,
        contract_id,
        obligation_id,
        recognise as method,
        period,
        period as posting_period,
        recognised
    from {{ ref('int_revenue__financing') }}
    union all by name
    select
        tenant_id,
        contract_id,
        obligation_id,
        recognise as method,
        period,
        period as posting_period,
        recognised
    from {{ ref('int_revenue__line_schedules') }}

)

select
    tenant_id,
    contract_id,
    obligation_id,
    period,
    posting_period,
    min(method) as method,
    cast(sum(recognised) as hugeint) as recognised,
    cast(coalesce(sum(breakage), 0) as hugeint) as breakage,
    cast(coalesce(sum(prior_performance), 0) as hugeint) as prior_performance
from parts
group by tenant_id, contract_id, obligation_id, period, posting_period
having sum(recognised) <> 0
