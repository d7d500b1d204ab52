with

-- A draft has no number and no hash yet; its key stands in for its identity.
documents as (

    select *
    from {{ ref('stg_ratehouse__issued_invoices') }}
    union all by name
    select
        * exclude (document_key, number_format, is_draft, blocked_by) replace (cast(notes as varchar) as notes),
        document_key as invoice_id
    from {{ ref('int_invoicing__due_documents') }}
    where is_draft

),

receivables as (

    select * from {{ ref('int_payments__receivables') }}

)

select
    documents.tenant_id,
    documents.invoice_id,
    documents.invoice_number,
    documents.series,
    documents.seq,
    documents.kind,
    documents.customer_id,
    documents.currency,
    documents.bill_date,
    documents.issued_on,
    documents.issued_at,
    documents.due_on,
    documents.subtotal,
    documents.discount,
    documents.tax,
    documents.total,
    documents.credits_applied,
    documents.amount_due,
    coalesce(receivables.paid_amount, cast(0 as decimal(20, 4))) as amount_paid,
    -- What nothing is open of is settled, by money, notes or credit.
    case
        when documents.invoice_number is null then 'draft'
        when documents.kind <> 'invoice' then 'issued'
        when receivables.voided_at is not null then 'void'
        when receivables.is_disputed then 'disputed'
        when receivables.written_off_amount > 0 then 'uncollectible'
        when receivables.open_amount = 0 then 'paid'
        when receivables.paid_amount > 0 then 'partially_paid'
        else 'issued'
    end as status,
    documents.corrects_invoice_id,
    documents.seller_name,
    documents.legal_entity,
    documents.bill_to_name,
    documents.bill_to_address,
    documents.bill_to_country,
    documents.bill_to_tax_id,
    documents.timezone,
    documents.language,
    documents.po_number,
    documents.notes,
    documents.due_days,
    documents.fx_base,
    documents.fx_quote,
    documents.fx_rate,
    documents.fx_rate_on,
    documents.fx_source,
    documents.functional_currency,
    documents.functional_tax,
    documents.billing_as_of,
    documents.known_as_of,
    documents.code_version,
    documents.run_key,
    documents.content_hash,
    documents.previous_hash
from documents
left join receivables
    on
        documents.tenant_id = receivables.tenant_id
        and documents.invoice_id = receivables.invoice_id
