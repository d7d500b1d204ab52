-- Proof 3, of the bank. Per tenant and currency: Σ of the statement's lines = Σ of what they should hold + the differences that reconciliation
-- names; and every line is in it once. `residual` is what nobody has named, signed.
select *
from {{ ref('int_reconciliation__proofs') }}
where proof = 'bank' and (residual <> 0 or lines_left <> 0)
