-- Proof 2, of the processor (identity 11). Per tenant and currency: Σ net of all movements = Σ payouts − what reconciliation names as their
-- difference + what is not paid out yet. `residual` is what nobody has named, signed. Failed payouts brought nothing.
select *
from {{ ref('int_reconciliation__proofs') }}
where proof = 'processor' and residual <> 0
