-- What became of the usage events of each type.
select
    event_type,
    cast(sum(received) as bigint) as received,
    cast(sum(accepted) as bigint) as accepted,
    cast(sum(rated) as bigint) as rated,
    cast(sum(not_billable) as bigint) as not_billable,
    cast(sum(duplicates) as bigint) as duplicates,
    cast(sum(conflicts) as bigint) as conflicts,
    cast(sum(rejected) as bigint) as rejected,
    cast(sum(skipped_values) as bigint) as skipped_values,
    max(last_event_at) as last_event_at
from marts.usage_completeness
where
    tenant_id = $tenant
    and received_on >= $first
    and received_on <= $last
group by event_type
order by received desc, event_type
