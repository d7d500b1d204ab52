-- Refused rows by stream and reason.
select
    stream,
    reason_code,
    count(*) as rows,
    count(*) filter (where replayed) as replayed,
    max(recorded_at) as last_at
from marts.rejected_rows
where
    tenant_id = $tenant
    and cast(recorded_at as date) >= $first
    and cast(recorded_at as date) <= $last
group by stream, reason_code
order by rows desc, stream, reason_code
