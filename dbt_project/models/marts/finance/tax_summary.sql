-- A document's tax stands on it once per rate; what was taxed is the sum of its lines at that rate. One that carries no tax is here too,
-- with why. A document that was voided unpaid is taken off again in the month of the void.
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
        bill_to_country,
        currency,
        notes,
        1 as direction
    from issued
    union all
    select
        issued.tenant_id,
        issued.invoice_id,
        'void' as kind,
        strftime({{ local_date('voided.voided_at', 'tenants.timezone') }}, '%Y-%m') as period,
        issued.bill_to_country,
        issued.currency,
        issued.notes,
        -1 as direction
    from issued
    inner join tenants on issued.tenant_id = tenants.tenant_id
    inner join {{ ref('int_credits__open_amounts') }} as voided
        on
            issued.tenant_id = voided.tenant_id
            and issued.invoice_id = voided.invoice_id
    where voided.voided_at is not null

),

rates as (

    select
        tenant_id,
        invoice_id,
        tax_code,
        coalesce(tax_percent, 0) as tax_percent,
        sum(case when line_type = 'tax' then 0 else amount end) as taxable,
        sum(case when line_type = 'tax' then amount else 0 end) as tax
    from {{ ref('stg_ratehouse__issued_invoice_lines') }}
    group by tenant_id, invoice_id, tax_code, coalesce(tax_percent, 0)

)

select
    documents.tenant_id,
    documents.period,
    documents.bill_to_country as country,
    case
        when rates.tax_percent <> 0 then 'taxed'
        when documents.notes like '%reverse_charge%' then 'reverse_charge'
        when documents.notes like '%tax_exempt%' then 'exempt'
        else 'untaxed'
    end as treatment,
    rates.tax_code,
    cast(rates.tax_percent as decimal(28, 12)) as tax_percent,
    documents.currency,
    count(*) filter (where documents.kind = 'invoice') as invoices,
    count(*) filter (where documents.kind = 'credit_note') as credit_notes,
    count(*) filter (where documents.kind = 'void') as voids,
    cast(coalesce(sum(rates.taxable) filter (where documents.kind = 'invoice'), 0) as decimal(20, 4)) as invoiced,
    cast(coalesce(sum(rates.taxable * documents.direction) filter (where documents.kind <> 'invoice'), 0) as decimal(20, 4)) as credited,
    cast(sum(rates.taxable * documents.direction) as decimal(20, 4)) as taxable,
    cast(sum(rates.tax * documents.direction) as decimal(20, 4)) as tax
from documents
inner join rates
    on
        documents.tenant_id = rates.tenant_id
        and documents.invoice_id = rates.invoice_id
group by all
