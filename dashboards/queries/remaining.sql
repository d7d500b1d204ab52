-- Remaining obligations at a month end, with what is left out and by which expedient.
select
    coalesce(customers.name, remaining.customer_id, 'No customer') as customer,
    remaining.contract_id,
    remaining.obligation_id,
    case when remaining.excluded_reason is null then remaining.rpo else 0 end as rpo,
    case when remaining.excluded_reason is null then remaining.rpo_12_months else 0 end as rpo_12_months,
    case when remaining.excluded_reason is null then remaining.rpo_13_24_months else 0 end as rpo_13_24_months,
    case when remaining.excluded_reason is null then remaining.rpo - remaining.rpo_12_months - remaining.rpo_13_24_months else 0 end as rpo_later,
    case when remaining.excluded_reason is null then remaining.rpo_deferred else 0 end as rpo_deferred,
    case when remaining.excluded_reason is null then remaining.rpo - remaining.rpo_deferred else 0 end as rpo_backlog,
    case when remaining.excluded_reason is not null then remaining.rpo else 0 end as excluded,
    remaining.excluded_reason,
    remaining.currency
from marts.remaining_obligations as remaining
left join marts.customers
    on
        remaining.tenant_id = customers.tenant_id
        and remaining.customer_id = customers.customer_id
where remaining.tenant_id = $tenant and remaining.period = $period and remaining.currency = $currency and remaining.rpo <> 0
order by remaining.rpo desc, remaining.contract_id, remaining.obligation_id
