-- Identity 2. Per tenant and currency: what is owed by now = what was billed + what the next run bills. Fails when an amount is neither
-- on a document nor on its way to one, or is on both. What waits (for a price, for the next step of an interim invoice, for the end of a
-- hold) stands aside.
with

waiting as (

    select slice_id
    from {{ ref('int_rating__unpriced') }}
    where status <> 'unmatched_price'
    union
    select slice_id
    from {{ ref('int_invoicing__interim_lines') }}
    where not is_due

),

-- A tenant may give nothing back for what is no longer used, leave out late usage, wait with small differences or gather to a day;
-- and what was credited by hand limits later differences.
generous as (

    select tenant_id
    from {{ ref('stg_ratehouse__tenants') }}
    where
        proration_credit <> 'none'
        and late_usage <> 'ignore'
        and materiality = 0
        and bill_day is null
        and tenant_id not in (select tenant_id from {{ ref('stg_ratehouse__adjustments') }})

),

on_hold as (

    select
        holds.tenant_id,
        holds.subscription_id
    from {{ ref('int_subscriptions__holds') }} as holds
    inner join {{ ref('stg_ratehouse__tenants') }} as tenants on holds.tenant_id = tenants.tenant_id
    where tenants.billing_as_of >= holds.starts_at and tenants.billing_as_of < holds.ends_at

),

amounts as (

    select
        tenant_id,
        subscription_id,
        currency,
        amount as owed,
        0 as billed,
        0 as due
    from {{ ref('int_invoicing__should_lines') }}
    where slice_id not in (select slice_id from waiting)
    union all
    select
        tenant_id,
        subscription_id,
        currency,
        0 as owed,
        priced_amount as billed,
        0 as due
    from {{ ref('stg_ratehouse__issued_invoice_lines') }}
    where
        line_type in ('recurring', 'usage', 'one_time', 'minimum', 'adjustment', 'discount')
        and adjustment_id is null
        and slice_id not in (select slice_id from waiting)
        and (tenant_id, invoice_id) not in (
            select (tenant_id, invoice_id) from {{ ref('int_subscriptions__activations') }}
            where lifecycle = 'expired_activation'
        )
    union all
    select
        tenant_id,
        subscription_id,
        currency,
        0 as owed,
        0 as billed,
        priced_amount as due
    from {{ ref('int_invoicing__due_lines') }}
    where line_type in ('recurring', 'usage', 'one_time', 'minimum', 'adjustment', 'discount') and adjustment_id is null

)

select
    tenant_id,
    currency,
    sum(owed) as owed,
    sum(billed) as billed,
    sum(due) as due
from amounts
where tenant_id in (select tenant_id from generous) and (tenant_id, subscription_id) not in (select (tenant_id, subscription_id) from on_hold)
group by tenant_id, currency
having sum(owed) <> sum(billed) + sum(due)
