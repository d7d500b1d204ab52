-- Identity 9. Each month opens where the last one closed, and opening plus movements is closing: deferred revenue, unbilled revenue, contract
-- costs and recurring revenue. Fails when a movement has no column.
with

deferred as (

    select
        tenant_id,
        contract_id as reference,
        period,
        opening,
        billed + recognised + modified + credited + refunded + interest + fx as movements,
        closing
    from {{ ref('deferred_revenue_rollforward') }}

),

unbilled as (

    select
        tenant_id,
        concat_ws('|', 'unbilled', contract_id) as reference,
        period,
        opening,
        accrued + invoiced + other as movements,
        closing
    from {{ ref('unbilled_revenue') }}

),

costs as (

    select
        tenant_id,
        concat_ws('|', contract_id, cost_id) as reference,
        period,
        opening,
        capitalised + amortised as movements,
        closing
    from {{ ref('contract_costs') }}

),

mrr as (

    select
        tenant_id,
        concat_ws('|', customer_id, currency) as reference,
        period,
        opening,
        new + expansion + contraction + churn + reactivation as movements,
        closing
    from {{ ref('mrr_by_month') }}

),

rolled as (

    select
        *,
        coalesce(lag(closing) over (partition by tenant_id, reference order by period), 0) as last_closing
    from (
        select * from deferred
        union all
        select * from unbilled
        union all
        select * from costs
        union all
        select * from mrr
    ) as every

)

select * from rolled
where opening <> last_closing or opening + movements <> closing
