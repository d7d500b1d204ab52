select
    tenant_id,
    proof,
    currency,
    found_amount,
    expected_amount,
    named_amount,
    residual
from {{ ref('int_reconciliation__proofs') }}
