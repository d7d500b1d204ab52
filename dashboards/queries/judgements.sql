-- The judgements that contracts rest on, up to a month's end.
select
    coalesce(customers.name, judgements.customer_id, 'No customer') as customer,
    judgements.contract_id,
    judgements.judged_on,
    judgements.kind,
    judgements.subject,
    judgements.conclusion,
    judgements.estimate,
    judgements.included,
    judgements.constrained,
    judgements.basis,
    judgements.reviewed_by,
    judgements.evidence,
    judgements.currency
from marts.judgements
left join marts.customers
    on
        judgements.tenant_id = customers.tenant_id
        and judgements.customer_id = customers.customer_id
where
    judgements.tenant_id = $tenant
    and strftime(judgements.judged_on, '%Y-%m') <= $period
    and judgements.currency = $currency
order by judgements.judged_on desc, judgements.contract_id, judgements.kind, judgements.subject
