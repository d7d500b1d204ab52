-- Identity 5. Once a run has issued what was due at a tenant's clocks, nothing is due at the same clocks: what was billed is what should have
-- been. Fails when a document would be issued again, or when a difference is left that no document settles. What waits for its tax stays due.
with

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

runs as (

    select distinct
        tenant_id,
        billing_as_of,
        known_as_of
    from {{ ref('runs') }}

)

select
    documents.tenant_id,
    documents.document_key,
    documents.customer_id,
    documents.kind,
    documents.total
from {{ ref('int_invoicing__due_documents') }} as documents
inner join tenants on documents.tenant_id = tenants.tenant_id
inner join runs
    on
        tenants.tenant_id = runs.tenant_id
        and tenants.billing_as_of = runs.billing_as_of
        and tenants.known_as_of = runs.known_as_of
where not documents.is_draft and documents.blocked_by is null
