-- The journal lines of a month on one account.
select
    posted_on,
    entry_id,
    line_no,
    kind,
    performance_period,
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
where tenant_id = $tenant and period = $period and account_role = $role
order by posted_on, entry_id, line_no
