-- The newest refused rows, for one reason or for all.
select
    recorded_at,
    stream,
    reason_code,
    reason,
    payload,
    file,
    line,
    replayed
from marts.rejected_rows
where
    tenant_id = $tenant
    and cast(recorded_at as date) >= $first
    and cast(recorded_at as date) <= $last
    and ($reason is null or reason_code = $reason)
order by recorded_at desc, reject_id
limit 500
