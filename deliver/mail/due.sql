-- Issued documents that go out by e-mail and are not in the outbox yet, with whom they are for. One row per document.
select
    invoices.tenant_id,
    invoices.invoice_id,
    invoices.invoice_number,
    invoices.kind,
    invoices.customer_id,
    coalesce(invoices.language, 'en') as language,
    customers.emails,
    customers.billing_contacts,
    tenants.document as tenant_document
from marts.invoices as invoices
inner join marts.tenants as tenants on invoices.tenant_id = tenants.tenant_id
left join marts.customers as customers
    on invoices.tenant_id = customers.tenant_id and invoices.customer_id = customers.customer_id
left join deliveries
    on
        invoices.tenant_id = deliveries.tenant_id
        and invoices.invoice_id = deliveries.invoice_id
        and deliveries.event = 'queued'
where
    invoices.invoice_number is not null
    and invoices.status <> 'draft'
    and invoices.issued_on >= cast(json_extract_string(tenants.document, '$.mail.since') as date)
    and deliveries.delivery_id is null
order by invoices.tenant_id, invoices.issued_on, invoices.invoice_number
