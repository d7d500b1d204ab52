with

items as (

    select * from {{ ref('int_reconciliation__usage') }}
    union all by name
    select * from {{ ref('int_reconciliation__cash') }}
    union all by name
    select * from {{ ref('int_reconciliation__processor') }}
    union all by name
    select * from {{ ref('int_reconciliation__bank') }}

)

select
    tenant_id,
    area,
    status,
    reference,
    rule,
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
    age_days
from items
