-- What was posted later because a closed month turned out different, by account.
select
    period as posted_in,
    account_role,
    account,
    sum(debit) as debit,
    sum(credit) as credit,
    currency,
    sum(functional_debit) as functional_debit,
    sum(functional_credit) as functional_credit,
    functional_currency,
    count(distinct entry_id) as entries
from marts.journal_entries
where tenant_id = $tenant and performance_period = $period and kind = 'correction'
group by period, account_role, account, currency, functional_currency
order by period, account, account_role, currency
