-- What processors took, by card type and region, the largest differences first.
select
    period,
    coalesce(provider, '') as provider,
    coalesce(method, '') as method,
    coalesce(country, '') as country,
    currency,
    payments,
    gross_amount,
    fee_amount,
    variances,
    variance_amount
from marts.processor_fees
where tenant_id = $tenant
order by period desc, abs(variance_amount) desc, provider, method, country
