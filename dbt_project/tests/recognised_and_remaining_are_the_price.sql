-- Identity 7. At every month end the price of a stated contract is what its obligations were allocated, and what they
-- have recognised by then is in the revenue rows. Fails when a split loses a cent or a month loses revenue.
with

month_ends as (

    select * from {{ ref('int_revenue__month_ends') }}
    where subscription_id is null

),

prices as (

    select
        month_ends.tenant_id,
        month_ends.contract_id,
        month_ends.as_of,
        sum(changes.amount) as price
    from month_ends
    inner join {{ ref('int_revenue__price_changes') }} as changes
        on
            month_ends.tenant_id = changes.tenant_id
            and month_ends.contract_id = changes.contract_id
            and month_ends.as_of >= changes.effective_on
            and not changes.is_dated
    group by month_ends.tenant_id, month_ends.contract_id, month_ends.as_of

),

schedules as (

    select
        tenant_id,
        contract_id,
        as_of,
        sum(allocated) as allocated,
        bool_or(recognise = 'as_invoiced') as has_invoices
    from {{ ref('int_revenue__schedules') }}
    group by tenant_id, contract_id, as_of

)

select
    prices.*,
    schedules.allocated
from prices
left join schedules
    on
        prices.tenant_id = schedules.tenant_id
        and prices.contract_id = schedules.contract_id
        and prices.as_of = schedules.as_of
where prices.price <> coalesce(schedules.allocated, 0) and not coalesce(schedules.has_invoices, false)
