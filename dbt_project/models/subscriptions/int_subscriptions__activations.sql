-- Subscriptions that wait for their first document to be paid in full: active once it is, expired if it is not by its deadline
-- (int_payments__deadlines), when the document is void. Where nothing was billed by then there is nothing to wait for.
with

creations as (

    select * from {{ ref('int_subscriptions__events') }}
    where type = 'created' and problem is null and first_payment_hours is not null

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

open_amounts as (

    select * from {{ ref('int_credits__open_amounts') }}

),

documents as (

    select
        deadlines.tenant_id,
        deadlines.subscription_id,
        deadlines.invoice_id,
        deadlines.ends_at,
        deadlines.has_passed,
        open_amounts.open_amount,
        open_amounts.voided_at
    from {{ ref('int_payments__deadlines') }} as deadlines
    inner join open_amounts
        on
            deadlines.tenant_id = open_amounts.tenant_id
            and deadlines.invoice_id = open_amounts.invoice_id

)

select
    creations.tenant_id,
    creations.subscription_id,
    documents.invoice_id,
    coalesce(documents.ends_at, creations.effective_at + to_hours(creations.first_payment_hours)) as ends_at,
    case
        when documents.voided_at is not null then 'expired_activation'
        when documents.open_amount > 0 and not documents.has_passed then 'pending_activation'
        when documents.invoice_id is null and tenants.billing_as_of < creations.effective_at + to_hours(creations.first_payment_hours) then 'pending_activation'
        else 'active'
    end as lifecycle
from creations
inner join tenants on creations.tenant_id = tenants.tenant_id
left join documents
    on
        creations.tenant_id = documents.tenant_id
        and creations.subscription_id = documents.subscription_id
