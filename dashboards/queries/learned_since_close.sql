-- What a closed month earned by what is known now and was not when it was closed, by obligation: it stands in a later month's books.
select
    coalesce(customers.name, revenue.customer_id, 'No customer') as customer,
    revenue.contract_id,
    revenue.obligation_id,
    revenue.currency,
    coalesce(sum(revenue.recognised) filter (where revenue.posting_period = revenue.period), 0) as closed_with,
    sum(revenue.recognised) filter (where revenue.posting_period > revenue.period) as since,
    sum(revenue.recognised) as known_now,
    string_agg(distinct revenue.posting_period, ', ' order by revenue.posting_period) filter (where revenue.posting_period > revenue.period) as posted_in
from marts.revenue_by_period as revenue
left join marts.customers
    on
        revenue.tenant_id = customers.tenant_id
        and revenue.customer_id = customers.customer_id
where revenue.tenant_id = $tenant and revenue.period = $period
group by all
having coalesce(sum(revenue.recognised) filter (where revenue.posting_period > revenue.period), 0) <> 0
order by abs(since) desc, customer, revenue.contract_id, revenue.obligation_id
