with

items as (

    select * from {{ ref('int_reconciliation__usage') }}
    union all by name
    select * from {{ ref('int_reconciliation__not_billable') }}
    union all by name
    select * from {{ ref('int_reconciliation__items') }}

)

select
    tenant_id,
    area,
    status,
    reference,
    rule,
    reason,
    counterpart,
    decided_by,
    decided_at,
    customer_id,
    invoice_id,
    payment_id,
    subscription_id,
    charge,
    service_start,
    service_end,
    expected_amount,
    actual_amount,
    difference,
    currency,
    age_days,
    event_count
from items
