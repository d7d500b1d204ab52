-- Identity 10. Debits equal credits in every entry, per currency and in the functional currency, and every line has an account.
-- Fails when a movement reaches one side of the books only.
select
    tenant_id,
    entry_id,
    currency,
    sum(debit) as debit,
    sum(credit) as credit,
    sum(functional_debit) as functional_debit,
    sum(functional_credit) as functional_credit
from {{ ref('journal_entries') }}
group by tenant_id, entry_id, currency
having
    sum(debit) <> sum(credit)
    or sum(functional_debit) <> sum(functional_credit)
    or count(account) < count(*)
