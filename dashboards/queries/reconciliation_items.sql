-- Items of one area and class ('' for every exception), the oldest first.
select
    status,
    reference,
    rule,
    reason,
    counterpart,
    decided_by,
    decided_at,
    invoice_id,
    payment_id,
    expected_amount,
    actual_amount,
    difference,
    currency,
    event_count,
    age_days
from marts.reconciliation_items
where tenant_id = $tenant and area = $area and (status = $status or ($status = '' and not list_contains($settled, status)))
order by age_days desc nulls last, abs(difference) desc nulls last, reference
