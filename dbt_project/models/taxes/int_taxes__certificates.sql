-- Where and when each exemption certificate holds: from its first day up to and not including its last one or the day it was revoked.
-- Ends are half-open, as everywhere.
select
    tenant_id,
    certificate_id,
    customer_id,
    number,
    country,
    region,
    {{ json_texts('tax_codes') }} as tax_codes,
    reason,
    valid_from,
    valid_until,
    revoked_on,
    least(coalesce(valid_until, date '9999-12-31'), coalesce(revoked_on, date '9999-12-31')) as holds_until,
    first_recorded_at
from {{ ref('stg_ratehouse__exemption_certificates') }}
