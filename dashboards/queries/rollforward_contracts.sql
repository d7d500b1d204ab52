-- The roll-forward of one month by contract, beside what the books have on the two accounts.
select
    coalesce(customers.name, rollforward.customer_id, 'No customer') as customer,
    rollforward.contract_id,
    rollforward.opening,
    rollforward.billed,
    rollforward.recognised,
    rollforward.modified,
    rollforward.credited,
    rollforward.refunded,
    rollforward.interest,
    rollforward.fx,
    rollforward.closing,
    coalesce(books.balance, 0) as books,
    rollforward.closing - coalesce(books.balance, 0) as difference,
    rollforward.currency
from marts.deferred_revenue_rollforward as rollforward
left join (
    select
        contract_id,
        sum(credit - debit) as balance
    from marts.journal_entries
    where
        tenant_id = $tenant
        and period <= $period
        and account_role in ('deferred_revenue', 'contract_asset')
    group by contract_id
) as books on rollforward.contract_id = books.contract_id
left join marts.customers
    on
        rollforward.tenant_id = customers.tenant_id
        and rollforward.customer_id = customers.customer_id
where rollforward.tenant_id = $tenant and rollforward.period = $period and rollforward.currency = $currency
order by abs(rollforward.closing) desc, rollforward.contract_id
