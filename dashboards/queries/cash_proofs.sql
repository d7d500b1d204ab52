-- What processor and bank prove, by currency.
select
    proof,
    currency,
    found_amount,
    expected_amount,
    named_amount,
    residual
from marts.cash_proofs
where tenant_id = $tenant
order by proof desc, currency
