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

holds as (

    select * from {{ ref('int_subscriptions__holds') }}

),

-- A discount goes where the line it belongs to goes.
led as (

    select
        differences.*,
        coalesce(max(amount) filter (where discount_id = '') over of_slice, amount) as leading_amount,
        coalesce(bool_or(is_late_usage) over of_slice, false) as follows_late_usage,
        -- What a change of terms comes to: what its days cost anew less what they cost before.
        sum(case when line_type in ('recurring', 'discount') or standing in ('shorter', 'gone') then amount else 0 end) over (
            partition by tenant_id, subscription_id, currency, service_start
        ) as change_amount
    from differences
    window of_slice as (partition by tenant_id, subscription_id, plan, charge, currency, dimensions, slice_start_at)

),

kept as (

    select
        led.*,
        tenants.proration_credit = 'credit_note'
        or tenants.proration_credit = 'refund'
        or (tenants.late_usage = 'credit_note' and led.follows_late_usage) as is_credited_apart
    from led
    inner join tenants on led.tenant_id = tenants.tenant_id
    left join holds
        on
            led.tenant_id = holds.tenant_id
            and led.subscription_id = holds.subscription_id
            and tenants.billing_as_of >= holds.starts_at
            and tenants.billing_as_of < holds.ends_at
    where
        -- What changes while bills are on hold waits with them; what ended before is not of the hold.
        (holds.hold_no is null or led.standing = 'new' or (led.standing = 'shorter' and led.slice_end_at < holds.starts_at))
        -- A tenant may give nothing back for what is no longer used; days that cost more now are not paid twice.
        and not (
            tenants.proration_credit = 'none'
            and led.leading_amount < 0
            and led.standing in ('shorter', 'gone')
            and led.change_amount < 0
        )
        and not (tenants.late_usage = 'ignore' and led.follows_late_usage)
        -- A small difference waits until it has grown.
        and (led.standing = 'new' or abs(led.leading_amount) >= tenants.materiality)
    union all by name
    select
        *,
        amount as leading_amount,
        true as is_credited_apart
    from {{ ref('int_credits__due_adjustments') }}

),

-- Tax that a certificate frees is given back on a document of its own for each one it stands on. A line that something else corrects
-- tonight waits until that is issued.
retaxed as (

    select
        retaxes.*,
        sum(case when retaxes.corrects_line_id is not null then retaxes.amount else 0 end) over (
            partition by retaxes.tenant_id, retaxes.retaxed_invoice_id
        ) as leading_amount,
        true as is_credited_apart
    from {{ ref('int_taxes__due_retaxes') }} as retaxes
    left join kept as others
        on
            retaxes.tenant_id = others.tenant_id
            and coalesce(retaxes.corrects_line_id, retaxes.replaces_line_id) = others.corrects_line_id
    where others.corrects_line_id is null

),

issuable as (

    select * from kept
    union all by name
    select * from retaxed

),

billed_to as (

    select
        issuable.*,
        tenants.group_by,
        tenants.bill_day,
        tenants.draft_hours,
        tenants.billing_as_of,
        case
            when tenants.group_by = 'parent' then coalesce(customers.parent_customer_id, issuable.customer_id)
            else issuable.customer_id
        end as bill_to_customer_id
    from issuable
    inner join tenants on issuable.tenant_id = tenants.tenant_id
    inner join customers
        on
            issuable.tenant_id = customers.tenant_id
            and issuable.customer_id = customers.customer_id

),

-- A tenant with a bill day gathers everything until that day of the month; a short month's last day stands in.
gathered as (

    select billed_to.*
    from billed_to
    inner join customers
        on
            billed_to.tenant_id = customers.tenant_id
            and billed_to.bill_to_customer_id = customers.customer_id
    where
        billed_to.bill_day is null
        or day({{ local_date('billed_to.billing_as_of', 'customers.timezone') }})
        = least(billed_to.bill_day, day(last_day({{ local_date('billed_to.billing_as_of', 'customers.timezone') }})))

),

grouped as (

    select
        *,
        concat_ws(
            '|', bill_to_customer_id, currency, case when group_by = 'subscription' then subscription_id end,
            case when adjustment_id is not null then 'adjustments' end, retaxed_invoice_id
        ) as document_group
    from gathered

),

signed as (

    select
        *,
        case
            when is_credited_apart then case when leading_amount < 0 then 'credit_note' else 'invoice' end
            when sum(case when is_credited_apart then 0 else amount end) over (partition by tenant_id, document_group) < 0 then 'credit_note'
            else 'invoice'
        end as kind,
        -- Refreshed every night until its first line has been due for so many hours.
        draft_hours > 0
        and coalesce(
            min(case when standing in ('new', 'longer') and due_at <= billing_as_of then due_at end) over (partition by tenant_id, document_group)
            + to_hours(draft_hours) > billing_as_of, false
        ) as is_draft
    from grouped

)

select
    tenant_id,
    md5(concat_ws('|', tenant_id, document_group, kind)) as document_key,
    kind,
    bill_to_customer_id,
    row_number() over (
        partition by tenant_id, document_group, kind
        order by subscription_id, service_start, charge_position, charge, dimensions, service_end, line_type desc, discount_id, adjustment_id,
            retaxed_invoice_id, coalesce(corrects_line_id, replaces_line_id), replaces_line_id nulls first
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
    replaces_line_id,
    replaces_invoice_id,
    cause_event_id,
    coupon,
    discount_id,
    adjustment_id,
    slice_id,
    rated_id,
    slice_start_at,
    slice_end_at,
    is_draft
from signed
