-- Lines of documents that were voided before anything was paid on them, with the local day.
with

lines as (

    select * from {{ ref('stg_ratehouse__issued_invoice_lines') }}

),

voided as (

    select
        open_amounts.tenant_id,
        open_amounts.invoice_id,
        open_amounts.customer_id,
        {{ local_date('open_amounts.voided_at', 'tenants.timezone') }} as voided_on
    from {{ ref('int_credits__open_amounts') }} as open_amounts
    inner join {{ ref('stg_ratehouse__tenants') }} as tenants on open_amounts.tenant_id = tenants.tenant_id
    where open_amounts.voided_at is not null

)

select
    lines.tenant_id,
    lines.invoice_id,
    lines.line_id,
    lines.line_type,
    lines.subscription_id,
    lines.charge,
    lines.amount,
    lines.currency,
    voided.customer_id as billed_to,
    voided.voided_on
from lines
inner join voided
    on
        lines.tenant_id = voided.tenant_id
        and lines.invoice_id = voided.invoice_id
