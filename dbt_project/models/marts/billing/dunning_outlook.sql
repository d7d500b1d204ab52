select
    tenant_id,
    invoice_id,
    customer_id,
    currency,
    cast(amount as decimal(20, 4)) as amount,
    cast(step as bigint) as step,
    action,
    due_on,
    due_at,
    is_held
from {{ ref('int_dunning__outlook') }}
