-- Certificates with whether they hold on the tenant's billing day, and what was invoiced without tax for them.
with

certificates as (

    select * from {{ ref('int_taxes__certificates') }}

),

tenants as (

    select
        tenant_id,
        {{ local_date('billing_as_of', 'timezone') }} as today
    from {{ ref('stg_ratehouse__tenants') }}

),

lines as (

    select
        lines.tenant_id,
        lines.certificate_id,
        lines.invoice_id,
        lines.amount,
        lines.currency,
        invoices.issued_on,
        least(lines.service_end - 1, invoices.bill_date) as tax_on
    from {{ ref('stg_ratehouse__issued_invoice_lines') }} as lines
    inner join {{ ref('stg_ratehouse__issued_invoices') }} as invoices
        on
            lines.tenant_id = invoices.tenant_id
            and lines.invoice_id = invoices.invoice_id
    where lines.certificate_id is not null and lines.tax_treatment = 'exempt'

),

used as (

    select
        lines.tenant_id,
        lines.certificate_id,
        count(distinct lines.invoice_id) as documents,
        max(lines.issued_on) as last_used_on,
        count(distinct lines.invoice_id) filter (where lines.tax_on >= certificates.holds_until) as documents_after_end
    from lines
    inner join certificates
        on
            lines.tenant_id = certificates.tenant_id
            and lines.certificate_id = certificates.certificate_id
    group by lines.tenant_id, lines.certificate_id

)

select
    certificates.tenant_id,
    certificates.certificate_id,
    certificates.customer_id,
    customers.name as customer_name,
    certificates.number,
    certificates.country,
    certificates.region,
    cast(to_json(certificates.tax_codes) as varchar) as tax_codes,
    certificates.reason,
    certificates.valid_from,
    certificates.valid_until,
    certificates.revoked_on,
    case
        when certificates.revoked_on <= tenants.today then 'revoked'
        when certificates.holds_until <= tenants.today then 'expired'
        when certificates.valid_from > tenants.today then 'upcoming'
        -- Time enough to ask the customer for the next one.
        when certificates.holds_until <= tenants.today + 60 then 'expires_soon'
        else 'valid'
    end as status,
    case when certificates.holds_until < date '9999-12-31' then certificates.holds_until - tenants.today end as days_left,
    coalesce(used.documents, 0) as documents,
    used.last_used_on,
    coalesce(used.documents_after_end, 0) as documents_after_end,
    certificates.first_recorded_at as recorded_at
from certificates
inner join tenants on certificates.tenant_id = tenants.tenant_id
left join {{ ref('int_subscriptions__customers') }} as customers
    on
        certificates.tenant_id = customers.tenant_id
        and certificates.customer_id = customers.customer_id
left join used
    on
        certificates.tenant_id = used.tenant_id
        and certificates.certificate_id = used.certificate_id
