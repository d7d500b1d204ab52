select
    tenant_id,
    account_role,
    currency,
    as_of,
    journal_balance,
    sub_ledger_balance,
    residual
from {{ ref('int_reconciliation__ledger') }}
