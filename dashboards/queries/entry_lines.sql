-- One entry of the journal.
select
    line_no,
    account,
    account_role,
    debit,
    credit,
    currency,
    functional_debit,
    functional_credit,
    functional_currency,
    contract_id,
    invoice_id,
    memo
from marts.journal_entries
where tenant_id = $tenant and entry_id = $entry
order by line_no
