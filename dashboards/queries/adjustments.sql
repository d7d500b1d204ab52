-- Credits and debits by hand, the newest first; all of them or those of some statuses.
select
    adjustment_id,
    status,
    coalesce(bill_to_name, customer_id, '') as customer,
    invoice_number,
    line_no,
    coalesce(charge_description, charge) as charge,
    service_start,
    service_end,
    line_amount,
    left_amount,
    amount,
    currency,
    reason_code,
    reason,
    requested_by,
    requested_at,
    decided_by,
    decided_at,
    decision_reason
from marts.adjustments
where tenant_id = $tenant and list_contains(string_split($statuses, ' '), status)
order by requested_at desc, adjustment_id
