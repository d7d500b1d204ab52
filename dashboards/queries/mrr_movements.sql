-- Customers whose recurring revenue moved in one month, the largest movement first.
select
    coalesce(customers.name, mrr_by_month.customer_id) as customer,
    mrr_by_month.opening,
    mrr_by_month.closing - mrr_by_month.opening as movement,
    mrr_by_month.closing,
    case
        when mrr_by_month.new <> 0 then 'new'
        when mrr_by_month.expansion <> 0 then 'expansion'
        when mrr_by_month.contraction <> 0 then 'contraction'
        when mrr_by_month.churn <> 0 then 'churn'
        else 'reactivation'
    end as kind
from marts.mrr_by_month
left join marts.customers
    on
        mrr_by_month.tenant_id = customers.tenant_id
        and mrr_by_month.customer_id = customers.customer_id
where
    mrr_by_month.tenant_id = $tenant
    and mrr_by_month.currency = $currency
    and mrr_by_month.period = $period
    and mrr_by_month.closing <> mrr_by_month.opening
order by abs(mrr_by_month.closing - mrr_by_month.opening) desc, customer
