-- What of a closed month is in the accounting systems.
select
    target,
    entries,
    posted_entries,
    unposted_entries,
    refused_entries,
    amount,
    unposted_amount,
    currency,
    first_external_id,
    last_at
from marts.journal_batches
where tenant_id = $tenant and period = $period
order by target, currency
