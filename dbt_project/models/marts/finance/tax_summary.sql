-- What a return adds up. A document that was voided unpaid is taken off again in the month of the void.
with

issued as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

documents as (

    select
        tenant_id,
        invoice_id,
        kind,
        strftime(issued_on, '%Y-%m') as period,
        currency,
        1 as direction
    from issued
    union all
    select
        issued.tenant_id,
        issued.invoice_id,
        'void' as kind,
        strftime({{ local_date('voided.voided_at', 'tenants.timezone') }}, '%Y-%m') as period,
        issued.currency,
        -1 as direction
    from issued
    inner join tenants on issued.tenant_id = tenants.tenant_id
    inner join {{ ref('int_credits__open_amounts') }} as voided
        on
            issued.tenant_id = voided.tenant_id
            and issued.invoice_id = voided.invoice_id
    where voided.voided_at is not null

)

select
    documents.tenant_id,
    documents.period,
    taxes.country,
    taxes.region,
    taxes.jurisdiction,
    taxes.treatment,
    taxes.tax_code,
    taxes.tax_percent,
    documents.currency,
    count(distinct documents.invoice_id) filter (where documents.kind = 'invoice') as invoices,
    count(distinct documents.invoice_id) filter (where documents.kind = 'credit_note') as credit_notes,
    count(distinct documents.invoice_id) filter (where documents.kind = 'void') as voids,
    cast(coalesce(sum(taxes.taxable) filter (where documents.kind = 'invoice'), 0) as decimal(20, 4)) as invoiced,
    cast(coalesce(sum(taxes.taxable * documents.direction) filter (where documents.kind <> 'invoice'), 0) as decimal(20, 4)) as credited,
    cast(sum(taxes.taxable * documents.direction) as decimal(20, 4)) as taxable,
    cast(coalesce(sum(taxes.tax) filter (where documents.kind = 'invoice'), 0) as decimal(20, 4)) as tax_invoiced,
    cast(coalesce(sum(taxes.tax * documents.direction) filter (where documents.kind <> 'invoice'), 0) as decimal(20, 4)) as tax_credited,
    cast(sum(taxes.tax * documents.direction) as decimal(20, 4)) as tax
from documents
inner join {{ ref('int_taxes__issued_taxes') }} as taxes
    on
        documents.tenant_id = taxes.tenant_id
        and documents.invoice_id = taxes.invoice_id
group by all
