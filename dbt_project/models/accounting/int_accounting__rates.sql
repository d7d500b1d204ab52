-- What a unit of a currency is worth in the tenant's own on any day, as a ratio of integers: the last rate published on or before the
-- day, or the inverse of the reverse pair where only that one is published. A rate is never rounded.
with

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

fx_rates as (

    select * from {{ ref('stg_ratehouse__fx_rates') }}

),

published as (

    select
        fx_rates.tenant_id,
        fx_rates.base as currency,
        fx_rates.rate_on,
        {{ to_scaled('fx_rates.rate', 12) }} as numerator,
        cast({{ 10 ** 12 }} as hugeint) as denominator
    from fx_rates
    inner join tenants
        on
            fx_rates.tenant_id = tenants.tenant_id
            and fx_rates.quote = tenants.currency
    union all
    select
        fx_rates.tenant_id,
        fx_rates.quote as currency,
        fx_rates.rate_on,
        cast({{ 10 ** 12 }} as hugeint) as numerator,
        {{ to_scaled('fx_rates.rate', 12) }} as denominator
    from fx_rates
    inner join tenants
        on
            fx_rates.tenant_id = tenants.tenant_id
            and fx_rates.base = tenants.currency
    left join fx_rates as direct
        on
            fx_rates.tenant_id = direct.tenant_id
            and fx_rates.base = direct.quote
            and fx_rates.quote = direct.base
    where direct.tenant_id is null
    union all
    select
        tenant_id,
        currency,
        date '0001-01-01' as rate_on,
        cast(1 as hugeint) as numerator,
        cast(1 as hugeint) as denominator
    from tenants

)

select
    tenant_id,
    currency,
    rate_on as valid_from,
    coalesce(lead(rate_on) over (partition by tenant_id, currency order by rate_on), date '9999-12-31') as valid_before,
    numerator,
    denominator
from published
