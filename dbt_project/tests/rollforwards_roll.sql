-- Identity 9. Each month opens where the last one closed, and opening plus movements is closing: deferred revenue and contract costs.
-- Fails when a movement has no column.
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

rolled as (

    select
        *,
        coalesce(lag(closing) over (partition by tenant_id, reference order by period), 0) as last_closing
    from (
        select * from deferred
        union all
        select * from costs
    ) as every

)

select * from rolled
where opening <> last_closing or opening + movements <> closing
