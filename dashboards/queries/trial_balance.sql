-- What one month posts to each account, in the functional currency.
select
    account_role,
    account,
    functional_currency as currency,
    sum(functional_debit) as debit,
    sum(functional_credit) as credit,
    count(*) as lines
from marts.journal_entries
where tenant_id = $tenant and period = $period
group by account_role, account, functional_currency
order by account, account_role
