-- The lines that each coupon may lower, and together with which others it shares its amount.
--   once        the lines of the first invoice on which it can apply: those that carry it already, else those not billed yet
--   repeating   the lines of the first billing periods, from the first that has one
--   forever     every line that falls due while it is held
with

charges as (

    select * from {{ ref('int_invoicing__should_charges') }}

),

coupons as (

    select * from {{ ref('int_discounts__coupons') }}

),

billed as (

    select distinct
        tenant_id,
        subscription_id,
        plan,
        charge,
        currency,
        dimensions,
        slice_start_at,
        discount_id
    from {{ ref('int_invoicing__billed_slices') }}
    where (tenant_id, subscription_id) in (select (tenant_id, subscription_id) from coupons)

),

held as (

    select
        charges.tenant_id,
        charges.rated_id,
        charges.currency,
        charges.amount as line_amount,
        charges.due_on,
        coupons.discount_id,
        coupons.event_id,
        coupons.coupon,
        coupons.position,
        coupons.holder,
        coupons.percent,
        coupons.amount,
        coupons.duration,
        coupons.periods,
        case when coupons.is_of_customer then cast(date_trunc('month', charges.period_start) as date) else charges.period_start end as period,
        carried.discount_id is not null as is_carried,
        own.discount_id is not null as is_billed
    from charges
    inner join coupons
        on
            charges.tenant_id = coupons.tenant_id
            and charges.subscription_id = coupons.subscription_id
            and charges.due_on >= coalesce(coupons.starts_on, charges.due_on)
            and charges.due_on < coalesce(coupons.removed_on, date '9999-12-31')
            and (coupons.applies_to is null or list_contains(coupons.applies_to, charges.charge))
            and (coupons.currency is null or coupons.amount is null or coupons.currency = charges.currency)
    left join billed as carried
        on
            charges.tenant_id = carried.tenant_id
            and charges.subscription_id = carried.subscription_id
            and charges.plan = carried.plan
            and charges.charge = carried.charge
            and charges.currency = carried.currency
            and charges.dimensions = carried.dimensions
            and charges.slice_start_at = carried.slice_start_at
            and coupons.discount_id = carried.discount_id
    left join billed as own
        on
            charges.tenant_id = own.tenant_id
            and charges.subscription_id = own.subscription_id
            and charges.plan = own.plan
            and charges.charge = own.charge
            and charges.currency = own.currency
            and charges.dimensions = own.dimensions
            and charges.slice_start_at = own.slice_start_at
            and own.discount_id = ''

),

counted as (

    select
        *,
        dense_rank() over (partition by tenant_id, holder, discount_id order by period) as period_no,
        bool_or(is_carried) over (partition by tenant_id, holder, discount_id) as is_used
    from held

)

select
    tenant_id,
    rated_id,
    discount_id,
    event_id,
    coupon,
    position,
    currency,
    line_amount,
    percent,
    amount,
    -- An amount is given once per holder, currency and, unless once, billing period; earlier due days take of it first.
    concat_ws('|', holder, discount_id, currency, case when duration <> 'once' then period end) as shared_by,
    case when duration <> 'once' then due_on end as shared_on
from counted
where
    line_amount > 0
    and case duration
        when 'once' then case when is_used then is_carried else not is_billed end
        when 'repeating' then period_no <= periods
        else true
    end
