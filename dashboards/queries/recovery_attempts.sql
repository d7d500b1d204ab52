-- Attempts after a first failure, by how the last one failed. What is not closed yet may still be taken back.
select
    coalesce(failure_class, 'unknown') as failure_class,
    count(*) as attempts,
    count(distinct invoice_id) as invoices,
    count(*) filter (where is_recovered) as recovered,
    coalesce(sum(amount) filter (where is_recovered), 0) as recovered_amount,
    count(*) filter (where not is_closed) as not_closed
from marts.recovery_attempts
where tenant_id = $tenant and currency = $currency
group by all
order by attempts desc, failure_class
