-- What is still open of every issued invoice: what was due less what was paid on it and what credit notes took off. A void that
-- found nothing paid, drawn or noted closes the document; any other is credited (int_credits__adjustments).
with

invoices as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}
    where kind = 'invoice'

),

payments as (

    select * from {{ ref('stg_ratehouse__payments') }}
    where status = 'succeeded'

),

voids as (

    select * from {{ ref('stg_ratehouse__adjustments') }}
    where reason_code = 'void'

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

paid as (

    select
        invoices.tenant_id,
        invoices.invoice_id,
        sum(payments.amount) as amount,
        min(payments.recorded_at) as first_paid_at
    from invoices
    inner join payments
        on
            invoices.tenant_id = payments.tenant_id
            and invoices.currency = payments.currency
            and (
                invoices.invoice_id = payments.invoice_id
                or invoices.invoice_number in (payments.invoice_number, payments.reference)
            )
    group by invoices.tenant_id, invoices.invoice_id

),

noted as (

    select
        tenant_id,
        invoice_id,
        sum(amount) as amount
    from {{ ref('stg_ratehouse__credit_note_uses') }}
    group by tenant_id, invoice_id

),

voided as (

    select
        invoices.tenant_id,
        invoices.invoice_id,
        min(voids.effective_at) as voided_at
    from invoices
    inner join tenants on invoices.tenant_id = tenants.tenant_id
    inner join voids
        on
            invoices.tenant_id = voids.tenant_id
            and (invoices.invoice_id = voids.invoice_id or invoices.invoice_number = voids.invoice_number)
            and voids.effective_at <= tenants.billing_as_of
    left join paid
        on
            invoices.tenant_id = paid.tenant_id
            and invoices.invoice_id = paid.invoice_id
            and paid.first_paid_at <= voids.recorded_at
    left join noted
        on
            invoices.tenant_id = noted.tenant_id
            and invoices.invoice_id = noted.invoice_id
    where paid.invoice_id is null and noted.invoice_id is null and invoices.credits_applied = 0
    group by invoices.tenant_id, invoices.invoice_id
    union
    -- Never paid, never begun.
    select
        tenant_id,
        invoice_id,
        ends_at as voided_at
    from {{ ref('int_subscriptions__activations') }}
    where lifecycle = 'expired_activation'

)

select
    invoices.tenant_id,
    invoices.invoice_id,
    invoices.customer_id,
    invoices.currency,
    invoices.issued_at,
    invoices.series,
    invoices.seq,
    voided.voided_at,
    cast(coalesce(paid.amount, 0) as decimal(20, 4)) as paid_amount,
    cast(coalesce(noted.amount, 0) as decimal(20, 4)) as noted_amount,
    cast(
        case
            when voided.invoice_id is not null then 0
            else greatest(invoices.amount_due - coalesce(paid.amount, 0) - coalesce(noted.amount, 0), 0)
        end as decimal(20, 4)
    ) as open_amount
from invoices
left join paid
    on
        invoices.tenant_id = paid.tenant_id
        and invoices.invoice_id = paid.invoice_id
left join noted
    on
        invoices.tenant_id = noted.tenant_id
        and invoices.invoice_id = noted.invoice_id
left join voided
    on
        invoices.tenant_id = voided.tenant_id
        and invoices.invoice_id = voided.invoice_id
