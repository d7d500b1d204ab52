-- Month by month: what was open at its end, how much of it late, the days of sales that is, and the allowance.
select
    aging.period,
    aging.as_of,
    sum(aging.open_amount) as open_amount,
    coalesce(sum(aging.open_amount) filter (where aging.bucket <> 'not_due'), 0) as overdue_amount,
    any_value(sales.days_sales_outstanding) as days_sales_outstanding,
    case when count(aging.allowance_percent) > 0 then sum(aging.allowance) end as allowance
from marts.receivable_aging as aging
left join marts.days_sales_outstanding as sales
    on
        aging.tenant_id = sales.tenant_id
        and aging.currency = sales.currency
        and aging.period = sales.period
where aging.tenant_id = $tenant and aging.currency = $currency
group by aging.period, aging.as_of
order by aging.period desc
limit 24
