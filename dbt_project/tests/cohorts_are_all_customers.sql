-- The cohorts of a month together have the MRR of the month; a cohort starts whole, and gross retention is never above net or above all of it.
-- Fails when a customer is in no cohort or in two.
with

cohorts as (

    select * from {{ ref('retention_by_cohort') }}

),

sides as (

    select
        tenant_id,
        period,
        currency,
        mrr
    from cohorts
    union all
    select
        tenant_id,
        period,
        currency,
        -closing as mrr
    from {{ ref('mrr_by_month') }}

)

select
    tenant_id,
    period,
    currency,
    sum(mrr) as residual
from sides
group by tenant_id, period, currency
having sum(mrr) <> 0
union all
select
    tenant_id,
    period,
    currency,
    mrr - starting_mrr as residual
from cohorts
where
    (months_since = 0 and (mrr <> starting_mrr or customers_retained <> customers))
    or retained_mrr > mrr
    or retained_mrr > starting_mrr
