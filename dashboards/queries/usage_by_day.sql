-- What became of the usage events that arrived on each day (UTC).
select
    received_on,
    cast(sum(received) as bigint) as received,
    cast(sum(rated) as bigint) as rated,
    cast(sum(not_billable) as bigint) as not_billable,
    cast(sum(duplicates) as bigint) as duplicates,
    cast(sum(conflicts) as bigint) as conflicts,
    cast(sum(rejected) as bigint) as rejected,
    cast(sum(accepted) as bigint) as accepted,
    cast(sum(skipped_values) as bigint) as skipped_values
from marts.usage_completeness
where
    tenant_id = $tenant
    and received_on >= $first
    and received_on <= $last
group by received_on
order by received_on
