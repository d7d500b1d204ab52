-- Accounts of the journal beside their sub-ledgers at a month end.
select
    account_role,
    account,
    sub_ledger,
    sub_ledger_balance,
    journal_balance,
    explained_amount,
    explanation,
    difference,
    currency
from marts.ledger_tie_out
where tenant_id = $tenant and period = $period
order by currency, account_role
