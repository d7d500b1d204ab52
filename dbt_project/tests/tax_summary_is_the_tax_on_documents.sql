-- Identity. Per tenant and currency: the tax of the summary = the tax on issued documents, less that of documents voided unpaid. Fails when
-- a return would declare another tax than the one that customers were billed.
with

amounts as (

    select
        tenant_id,
        currency,
        tax as summed,
        0 as billed
    from {{ ref('tax_summary') }}
    union all
    select
        tenant_id,
        currency,
        0 as summed,
        tax as billed
    from {{ ref('invoices') }}
    where status <> 'draft'
    union all
    select
        invoices.tenant_id,
        invoices.currency,
        0 as summed,
        -invoices.tax as billed
    from {{ ref('invoices') }} as invoices
    inner join {{ ref('int_credits__open_amounts') }} as voided
        on
            invoices.tenant_id = voided.tenant_id
            and invoices.invoice_id = voided.invoice_id
    where voided.voided_at is not null

)

select
    tenant_id,
    currency,
    sum(summed) as summed_tax,
    sum(billed) as billed_tax
from amounts
group by tenant_id, currency
having sum(summed) <> sum(billed)
