-- Every grant that invoices may draw from: those given, and what is left of a credit note's value after open invoices took theirs.
with

given as (

    select * from {{ ref('stg_ratehouse__credit_grants') }}

),

documents as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}

),

uses as (

    select
        tenant_id,
        credit_note_id,
        sum(amount) as amount
    from {{ ref('stg_ratehouse__credit_note_uses') }}
    group by tenant_id, credit_note_id

),

promised as (

    select * from {{ ref('int_credits__promised_refunds') }}

),

customers as (

    select * from {{ ref('int_subscriptions__customers') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

grants as (

    select
        given.tenant_id,
        given.grant_id,
        given.customer_id,
        given.kind,
        cast(given.amount as decimal(28, 10)) as amount,
        case when given.unit is null then coalesce(given.currency, customers.currency, tenants.currency) end as currency,
        given.unit,
        coalesce(given.priority, 100) as priority,
        {{ local_date('given.effective_at', 'coalesce(customers.timezone, tenants.timezone)') }} as effective_on,
        {{ local_date('given.expires_at', 'coalesce(customers.timezone, tenants.timezone)') }} as expires_on,
        {{ local_date('given.voided_at', 'coalesce(customers.timezone, tenants.timezone)') }} as voided_on,
        cast(cast(given.applies_to as json) as varchar []) as applies_to,
        {{ json_text('given.recurrence', 'every') }} as refilled_every,
        coalesce(cast({{ json_text('given.recurrence', 'rollover_max') }} as decimal(28, 10)), 0) as rollover_max,
        {{ local_date('tenants.billing_as_of', 'coalesce(customers.timezone, tenants.timezone)') }} as today
    from given
    inner join tenants on given.tenant_id = tenants.tenant_id
    left join customers
        on
            given.tenant_id = customers.tenant_id
            and given.customer_id = customers.customer_id
    union all by name
    select
        documents.tenant_id,
        documents.invoice_number as grant_id,
        documents.customer_id,
        'credit_note' as kind,
        cast(coalesce(promised.credit_amount, -documents.total - coalesce(uses.amount, 0)) as decimal(28, 10)) as amount,
        documents.currency,
        0 as priority,
        documents.bill_date as effective_on,
        0 as rollover_max,
        {{ local_date('tenants.billing_as_of', 'documents.timezone') }} as today
    from documents
    inner join tenants on documents.tenant_id = tenants.tenant_id
    left join uses
        on
            documents.tenant_id = uses.tenant_id
            and documents.invoice_id = uses.credit_note_id
    left join promised
        on
            documents.tenant_id = promised.tenant_id
            and documents.invoice_id = promised.note_id
    where
        documents.kind = 'credit_note'
        -- A tenant that refunds gives back money that was paid, and credit only for what credits had paid.
        and coalesce(promised.credit_amount, -documents.total - coalesce(uses.amount, 0)) > 0

)

select
    *,
    least(expires_on, voided_on) as ends_on
from grants
