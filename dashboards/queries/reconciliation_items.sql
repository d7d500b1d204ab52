-- Exceptions of one area, the oldest first.
select
    status,
    reference,
    invoice_id,
    expected_amount,
    actual_amount,
    difference,
    currency,
    event_count,
    age_days
from marts.reconciliation_items
where tenant_id = $tenant and area = $area and status <> 'matched'
order by age_days desc nulls last, abs(difference) desc nulls last, reference
