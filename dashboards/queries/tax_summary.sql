-- What was taxed and the tax on it, by month, place, treatment and rate.
select
    period,
    country,
    region,
    jurisdiction,
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
    tax_invoiced,
    tax_credited,
    tax
from marts.tax_summary
where tenant_id = $tenant
order by period, country, region, jurisdiction, treatment, tax_percent desc, tax_code, currency
