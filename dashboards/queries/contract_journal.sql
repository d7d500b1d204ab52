-- What a contract posted.
select
    posted_on,
    performance_period,
    kind,
    account,
    account_role,
    debit,
    credit,
    currency,
    entry_id,
    invoice_id
from marts.journal_entries
where tenant_id = $tenant and contract_id = $contract
order by posted_on desc, entry_id, line_no
