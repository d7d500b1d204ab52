with

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

withholdings as (

    select
        withholdings.tenant_id,
        withholdings.invoice_id,
        max_by(withholdings.withheld_amount, withholdings.moved_at) as withheld_amount,
        max_by(withholdings.certified_amount, withholdings.moved_at) as certified_amount,
        -- Since it was last kept without a break.
        max(withholdings.moved_at) filter (where withholdings.withheld_amount > 0 and withholdings.withheld_change = withholdings.withheld_amount) as withheld_at
    from {{ ref('int_payments__withholdings') }} as withholdings
    group by withholdings.tenant_id, withholdings.invoice_id

),

certificates as (

    select
        tenant_id,
        invoice_number,
        currency,
        string_agg(coalesce(number, certificate_id), ', ' order by counts_from, certificate_id) as certificate_numbers,
        max(counts_from) as certified_at
    from {{ ref('stg_ratehouse__withholding_certificates') }}
    where status = 'received'
    group by tenant_id, invoice_number, currency

)

select
    withholdings.tenant_id,
    withholdings.invoice_id,
    invoices.invoice_number,
    invoices.customer_id,
    {{ local_date('withholdings.withheld_at', 'tenants.timezone') }} as withheld_on,
    withholdings.withheld_amount,
    withholdings.certified_amount,
    cast(withholdings.withheld_amount - withholdings.certified_amount as decimal(20, 4)) as waiting_amount,
    invoices.currency,
    certificates.certificate_numbers,
    certificates.certified_at,
    cast(greatest(datediff(
        'day', {{ local_date('withholdings.withheld_at', 'tenants.timezone') }}, {{ local_date('tenants.billing_as_of', 'tenants.timezone') }}
    ), 0) as integer) as age_days
from withholdings
inner join tenants on withholdings.tenant_id = tenants.tenant_id
inner join {{ ref('stg_ratehouse__issued_invoices') }} as invoices
    on
        withholdings.tenant_id = invoices.tenant_id
        and withholdings.invoice_id = invoices.invoice_id
left join certificates
    on
        invoices.tenant_id = certificates.tenant_id
        and invoices.invoice_number = certificates.invoice_number
        and invoices.currency = certificates.currency
where withholdings.withheld_amount > 0
