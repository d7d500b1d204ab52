-- What was taxed and the tax on it, by month, country, treatment and rate.
select
    period,
    country,
    treatment,
    tax_code,
    tax_percent,
    currency,
    invoices,
    credit_notes,
    voids,
    invoiced,
    credited,
    taxable,
    tax
from marts.tax_summary
where tenant_id = $tenant
order by period, country, treatment, tax_percent desc, tax_code, currency
