-- Identity 10, of money. Receivable, unapplied cash, clearing, fees, disputes, intercompany and taxes kept: the journal = what documents, payments,
-- the processor and decisions say, per tenant, account, currency and day. `residual` is what the journal has more, signed.
select *
from {{ ref('int_reconciliation__ledger') }}
where residual <> 0
