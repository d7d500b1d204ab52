-- The accounts of money, each as it stands, with its worst day.
select
    account_role,
    currency,
    max(as_of) as as_of,
    max_by(journal_balance, as_of) as journal_balance,
    max_by(sub_ledger_balance, as_of) as sub_ledger_balance,
    max_by(residual, abs(residual)) as residual,
    count(*) as days
from marts.ledger_proofs
where tenant_id = $tenant
group by account_role, currency
order by currency, account_role
