-- Payments as they were last told and the invoice whose id they name, which nearly all do.
with

payments as (

    select * from {{ ref('stg_ratehouse__payment_states') }}
    where replaced_at is null

),

invoices as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}
    where kind = 'invoice'

),

customers as {{ not_materialized() }}(

    select * from {{ ref('int_subscriptions__customers') }}

)

select
    payments.tenant_id,
    payments.payment_id,
    payments.customer_id,
    payments.currency,
    payments.recorded_at,
    payments.state_no,
    payments.status,
    payments.amount,
    payments.invoice_number,
    payments.reference,
    payments.invoice_id is not null as names_an_id,
    invoices.invoice_id,
    -- Whom it is for, where that is another.
    case when invoices.customer_id is distinct from payments.customer_id then invoices.customer_id end as owner_id,
    {{ misnaming('payments', 'customers', 'invoices', 'owners') }} as problem
from payments
left join customers
    on
        payments.tenant_id = customers.tenant_id
        and payments.customer_id = customers.customer_id
left join invoices
    on
        payments.tenant_id = invoices.tenant_id
        and payments.invoice_id = invoices.invoice_id
left join customers as owners
    on
        invoices.tenant_id = owners.tenant_id
        and invoices.customer_id = owners.customer_id
