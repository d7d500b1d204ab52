-- The drivers of every change sum to it, in both currencies; nothing is left over to rates in the tenant's own; the items are all that was posted.
with

items as (

    select * from {{ ref('revenue_flux_items') }}

),

-- The last thirteen months; the first of all has no earlier one to compare with.
posted as (

    select
        revenue.tenant_id,
        revenue.posting_period as period,
        revenue.currency,
        sum(revenue.recognised) as amount
    from {{ ref('revenue_by_period') }} as revenue
    inner join {{ ref('stg_ratehouse__tenants') }} as tenants on revenue.tenant_id = tenants.tenant_id
    where
        revenue.posting_period
        >= strftime(cast(date_trunc('month', {{ local_date('tenants.billing_as_of', 'tenants.timezone') }}) - to_months(13) as date), '%Y-%m')
    group by revenue.tenant_id, revenue.posting_period, revenue.currency

),

first_periods as (

    select
        tenant_id,
        min(period) as period
    from {{ ref('int_revenue__flux_amounts') }}
    group by tenant_id

),

compared as (

    select
        tenant_id,
        period,
        currency,
        sum(amount) as amount
    from items
    where comparison = 'month'
    group by tenant_id, period, currency

)

select
    tenant_id,
    period,
    charge,
    'drivers' as what,
    change - (price + volume + mix + late + catch_up + one_off + other) as difference
from items
where
    change <> price + volume + mix + late + catch_up + one_off + other
    or change <> amount - prior_amount
    or functional_change <> functional_price + functional_volume + functional_mix + functional_late + functional_catch_up + functional_one_off + functional_other + functional_fx
    or (currency = functional_currency and functional_fx <> 0)
union all
select
    coalesce(posted.tenant_id, compared.tenant_id) as tenant_id,
    coalesce(posted.period, compared.period) as period,
    coalesce(posted.currency, compared.currency) as charge,
    'posted' as what,
    coalesce(posted.amount, 0) - coalesce(compared.amount, 0) as difference
from posted
full outer join compared
    on
        posted.tenant_id = compared.tenant_id
        and posted.period = compared.period
        and posted.currency = compared.currency
left join first_periods
    on
        coalesce(posted.tenant_id, compared.tenant_id) = first_periods.tenant_id
        and coalesce(posted.period, compared.period) = first_periods.period
where first_periods.period is null and coalesce(posted.amount, 0) <> coalesce(compared.amount, 0)
