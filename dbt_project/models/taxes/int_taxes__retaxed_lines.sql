-- Issued lines that were taxed although a certificate covers them, for it became known later: what is left of each is charged anew
-- without tax (int_taxes__due_retaxes). A line is charged anew once; what a certificate that was revoked later freed of tax stays so.
with

lines as (

    select * from {{ ref('stg_ratehouse__issued_invoice_lines') }}
    where line_type <> 'tax'

),

invoices as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}

),

voided as (

    select
        tenant_id,
        invoice_id
    from {{ ref('int_credits__open_amounts') }}
    where voided_at is not null

),

customers as (

    select * from {{ ref('int_subscriptions__customers') }}

),

certificates as (

    select * from {{ ref('int_taxes__certificates') }}

),

-- Only of customers that have a certificate is anything looked at.
owners as (

    select distinct
        tenant_id,
        customer_id
    from certificates

),

-- A line and what corrected it since: what is left of it, and its slice as it stands now.
remaining as (

    select
        lines.tenant_id,
        coalesce(lines.corrects_line_id, lines.line_id) as line_id,
        sum(lines.priced_amount) as amount,
        arg_max(lines.quantity, (lines.issued_at, lines.billing_as_of, lines.line_id)) filter (where lines.slice_start_at is not null) as quantity,
        arg_max(lines.slice_end_at, (lines.issued_at, lines.billing_as_of, lines.line_id)) filter (where lines.slice_start_at is not null)
            as slice_end_at
    from lines
    inner join owners
        on
            lines.tenant_id = owners.tenant_id
            and lines.customer_id = owners.customer_id
    group by lines.tenant_id, coalesce(lines.corrects_line_id, lines.line_id)

),

taxed as (

    select
        lines.tenant_id,
        lines.line_id,
        lines.invoice_id,
        lines.customer_id,
        lines.tax_code,
        remaining.amount,
        remaining.quantity,
        remaining.slice_end_at,
        least(lines.service_end - 1, invoices.bill_date) as tax_on,
        case when lines.tax_treatment is null then customers.country else lines.tax_country end as country,
        case when lines.tax_treatment is null then customers.region else lines.tax_region end as region
    from lines
    inner join remaining
        on
            lines.tenant_id = remaining.tenant_id
            and lines.line_id = remaining.line_id
    inner join invoices
        on
            lines.tenant_id = invoices.tenant_id
            and lines.invoice_id = invoices.invoice_id
    inner join customers
        on
            lines.tenant_id = customers.tenant_id
            and lines.customer_id = customers.customer_id
    left join voided
        on
            lines.tenant_id = voided.tenant_id
            and lines.invoice_id = voided.invoice_id
    where
        remaining.amount <> 0
        and lines.tax_percent <> 0
        and lines.certificate_id is null
        and voided.invoice_id is null

)

select
    taxed.*,
    certificates.certificate_id
from taxed
inner join certificates
    on
        taxed.tenant_id = certificates.tenant_id
        and taxed.customer_id = certificates.customer_id
        and {{ certificate_covers('certificates', 'taxed.country', 'taxed.region', 'taxed.tax_code', 'taxed.tax_on') }}
qualify row_number() over (partition by taxed.tenant_id, taxed.line_id order by {{ best_certificate('certificates') }}) = 1
