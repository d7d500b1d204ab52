select
    tenant_id,
    grant_id,
    customer_id,
    kind,
    priority,
    granted,
    drawn,
    expired,
    remaining,
    coalesce(currency, unit) as currency,
    effective_on,
    expires_on,
    voided_on
from {{ ref('int_credits__balances') }}
