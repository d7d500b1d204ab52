-- What became of the customers that came in one month: their MRR at every month end since, at billing_as_of in the running month. Net retention
-- is mrr ÷ starting_mrr, gross retention retained_mrr ÷ starting_mrr: of each customer no more than it started with. In each currency.
with

mrr as (

    select * from {{ ref('mrr_by_month') }}

),

tenants as (

    select
        tenant_id,
        strftime({{ local_date('billing_as_of', 'timezone') }}, '%Y-%m') as running_period
    from {{ ref('stg_ratehouse__tenants') }}

),

starts as (

    select
        tenant_id,
        customer_id,
        currency,
        min(period) as cohort,
        arg_min(closing, period) as starting_mrr
    from mrr
    where closing <> 0
    group by tenant_id, customer_id, currency

),

-- A customer that left is in every later month, with nothing.
months as (

    select
        starts.*,
        strftime(unnest(generate_series(
            cast(starts.cohort || '-01' as timestamp), cast(tenants.running_period || '-01' as timestamp), to_months(1)
        )), '%Y-%m') as period
    from starts
    inner join tenants on starts.tenant_id = tenants.tenant_id

)

select
    months.tenant_id,
    months.cohort,
    months.period,
    months.currency,
    cast(datediff('month', cast(months.cohort || '-01' as date), cast(months.period || '-01' as date)) as integer) as months_since,
    count(*) as customers,
    count(*) filter (where coalesce(mrr.closing, 0) <> 0) as customers_retained,
    cast(sum(months.starting_mrr) as decimal(20, 4)) as starting_mrr,
    cast(coalesce(sum(mrr.closing), 0) as decimal(20, 4)) as mrr,
    cast(coalesce(sum(least(coalesce(mrr.closing, 0), months.starting_mrr)), 0) as decimal(20, 4)) as retained_mrr
from months
left join mrr
    on
        months.tenant_id = mrr.tenant_id
        and months.customer_id = mrr.customer_id
        and months.currency = mrr.currency
        and months.period = mrr.period
group by months.tenant_id, months.cohort, months.period, months.currency
