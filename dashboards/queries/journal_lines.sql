-- The journal of one month.
select
    posted_on,
    entry_id,
    line_no,
    account,
    account_role,
    debit,
    credit,
    currency,
    functional_debit,
    functional_credit,
    functional_currency,
    memo
from marts.journal_entries
where tenant_id = $tenant and period = $period
order by posted_on, entry_id, line_no
