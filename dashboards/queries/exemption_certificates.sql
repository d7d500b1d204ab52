-- Exemption certificates, those first that need somebody.
select
    certificate_id,
    customer_id,
    coalesce(customer_name, customer_id) as customer,
    number,
    country,
    region,
    tax_codes,
    reason,
    valid_from,
    valid_until,
    revoked_on,
    status,
    days_left,
    documents,
    documents_after_end,
    last_used_on
from marts.exemption_certificates
where tenant_id = $tenant
order by
    case status when 'expires_soon' then 0 when 'valid' then 1 when 'upcoming' then 2 else 3 end,
    coalesce(revoked_on, valid_until) nulls last,
    certificate_id
