with

receivables as (

    select * from {{ ref('int_payments__receivables') }}

),

invoices as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

aged as (

    select
        receivables.*,
        invoices.invoice_number,
        invoices.total,
        greatest(datediff('day', receivables.due_on, {{ local_date('tenants.billing_as_of', 'invoices.timezone') }}), 0) as days_overdue
    from receivables
    inner join invoices
        on
            receivables.tenant_id = invoices.tenant_id
            and receivables.invoice_id = invoices.invoice_id
    inner join tenants on receivables.tenant_id = tenants.tenant_id
    where receivables.open_amount > 0 or receivables.is_disputed

)

select
    tenant_id,
    customer_id,
    invoice_id,
    invoice_number,
    due_on,
    total,
    open_amount,
    currency,
    cast(days_overdue as integer) as days_overdue,
    case
        when days_overdue = 0 then 'not_due'
        when days_overdue <= 30 then '1-30'
        when days_overdue <= 60 then '31-60'
        when days_overdue <= 90 then '61-90'
        else '90+'
    end as bucket,
    is_disputed as disputed
from aged
