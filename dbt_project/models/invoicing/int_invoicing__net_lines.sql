-- The lines that the next run issues, before tax, each in the document it belongs to: one per group, currency and sign as the
-- tenant asks.
with

differences as (

    select * from {{ ref('int_invoicing__differences') }}

),

customers as (

    select * from {{ ref('int_subscriptions__customers') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

billed_to as (

    select
        differences.*,
        tenants.group_by,
        tenants.proration_credit,
        case
            when tenants.group_by = 'parent' then coalesce(customers.parent_customer_id, differences.customer_id)
            else differences.customer_id
        end as bill_to_customer_id
    from differences
    inner join tenants on differences.tenant_id = tenants.tenant_id
    inner join customers
        on
            differences.tenant_id = customers.tenant_id
            and differences.customer_id = customers.customer_id
    -- A tenant may give nothing back for what is no longer used.
    where not (tenants.proration_credit = 'none' and differences.amount < 0 and differences.standing in ('shorter', 'gone'))

),

grouped as (

    select
        *,
        concat_ws('|', bill_to_customer_id, currency, case when group_by = 'subscription' then subscription_id end) as document_group
    from billed_to

),

signed as (

    select
        *,
        case
            when proration_credit in ('credit_note', 'refund') then case when amount < 0 then 'credit_note' else 'invoice' end
            when sum(amount) over (partition by tenant_id, document_group) < 0 then 'credit_note'
            else 'invoice'
        end as kind
    from grouped

)

select
    tenant_id,
    md5(concat_ws('|', tenant_id, document_group, kind)) as document_key,
    kind,
    bill_to_customer_id,
    row_number() over (
        partition by tenant_id, document_group, kind
        order by subscription_id, service_start, charge_position, charge, dimensions, service_end, line_type desc
    ) as line_no,
    customer_id,
    subscription_id,
    plan,
    plan_name,
    charge,
    charge_position,
    charge_description,
    line_type,
    model,
    meter,
    price_book,
    dimensions,
    service_start,
    service_end,
    quantity,
    unit_price,
    cast(amount as decimal(20, 4)) as amount,
    currency,
    tax_code,
    gl_account,
    corrects_line_id,
    cause_event_id,
    slice_id,
    rated_id,
    slice_start_at,
    slice_end_at
from signed
