-- Next invoice = what should have been billed − what has been billed, per service slice and group. A slice is known by its
-- subscription, plan, charge, group and start (and, of a discount, its coupon); what differs is its end or its amount.
--   not billed yet         a line of the charge's own type over the slice
--   same end               an adjustment over the slice
--   ends earlier now       an adjustment over the days no longer owed: what the kept part costs less what was billed
--   ends later now         a line of the charge's own type over the days added
--   not owed at all        an adjustment over the whole billed span
-- A discount's difference stays a discount. A slice that was credited by hand gives back no more than is left of it.
with

should as {{ not_materialized() }}(

    select * from {{ ref('int_invoicing__should_lines') }}

),

-- What an interim invoice took of a running period stays until the next step or the period's end.
waiting as (

    select distinct slice_id from {{ ref('int_invoicing__interim_lines') }}
    where not is_due

),

billed as {{ not_materialized() }}(

    select * from {{ ref('int_invoicing__billed_slices') }}
    where slice_id not in (select slice_id from waiting)

),

-- What was credited by hand or stands on a void document, per slice: it stands outside of the difference and limits it.
taken_off as (

    select
        corrected.tenant_id,
        corrected.subscription_id,
        corrected.plan,
        corrected.charge,
        corrected.currency,
        corrected.dimensions,
        corrected.slice_start_at,
        manual.priced_amount as amount
    from {{ ref('stg_ratehouse__issued_invoice_lines') }} as manual
    inner join {{ ref('stg_ratehouse__issued_invoice_lines') }} as corrected
        on
            manual.tenant_id = corrected.tenant_id
            and manual.corrects_line_id = corrected.line_id
    where manual.adjustment_id is not null
    union all
    select
        lines.tenant_id,
        lines.subscription_id,
        lines.plan,
        lines.charge,
        lines.currency,
        lines.dimensions,
        lines.slice_start_at,
        -lines.priced_amount as amount
    from {{ ref('stg_ratehouse__issued_invoice_lines') }} as lines
    inner join {{ ref('int_credits__open_amounts') }} as voided
        on
            lines.tenant_id = voided.tenant_id
            and lines.invoice_id = voided.invoice_id
    where voided.voided_at is not null and lines.slice_start_at is not null

),

-- How far a slice with such a credit may still fall: what was billed of it, less its discounts and what was taken off.
parts as (

    select
        *,
        true as is_credit
    from taken_off
    union all
    select
        tenant_id,
        subscription_id,
        plan,
        charge,
        currency,
        dimensions,
        slice_start_at,
        amount,
        false as is_credit
    from billed
    where discount_id = ''
    union all
    select
        tenant_id,
        subscription_id,
        plan,
        charge,
        currency,
        dimensions,
        slice_start_at,
        amount,
        false as is_credit
    from should
    where discount_id <> ''

),

limits as (

    select
        tenant_id,
        subscription_id,
        plan,
        charge,
        currency,
        dimensions,
        slice_start_at,
        -sum(amount) as lowest_amount
    from parts
    where (tenant_id, subscription_id) in (select (tenant_id, subscription_id) from taken_off)
    group by tenant_id, subscription_id, plan, charge, currency, dimensions, slice_start_at
    having bool_or(is_credit)

),

unpriced as (

    select distinct slice_id from {{ ref('int_rating__unpriced') }}
    where status <> 'unmatched_price'

),

customers as (

    select * from {{ ref('int_subscriptions__customers') }}

),

-- Nearly all that was billed is as it should be: what differs is found by what tells it, and only of that the rest is read.
apart as (

    select
        coalesce(should.tenant_id, billed.tenant_id) as tenant_id,
        coalesce(should.subscription_id, billed.subscription_id) as subscription_id,
        coalesce(should.plan, billed.plan) as plan,
        coalesce(should.charge, billed.charge) as charge,
        coalesce(should.currency, billed.currency) as currency,
        coalesce(should.dimensions, billed.dimensions) as dimensions,
        coalesce(should.slice_start_at, billed.slice_start_at) as slice_start_at,
        coalesce(should.discount_id, billed.discount_id) as discount_id,
        should.* exclude (tenant_id, subscription_id, plan, charge, currency, dimensions, slice_start_at, discount_id, amount),
        billed.slice_key,
        coalesce(should.amount, 0) - coalesce(billed.amount, 0) as amount
    from should
    full outer join billed
        on
            should.tenant_id = billed.tenant_id
            and should.subscription_id = billed.subscription_id
            and should.plan = billed.plan
            and should.charge = billed.charge
            and should.currency = billed.currency
            and should.dimensions = billed.dimensions
            and should.slice_start_at = billed.slice_start_at
            and should.discount_id = billed.discount_id
    where coalesce(should.amount, 0) <> coalesce(billed.amount, 0)

),

billed_apart as (

    select * from billed
    where slice_key in (select slice_key from apart)

),

compared as (

    select
        apart.tenant_id,
        coalesce(apart.slice_id, billed.slice_id) as slice_id,
        apart.rated_id,
        coalesce(apart.customer_id, billed.customer_id) as customer_id,
        apart.subscription_id,
        apart.plan,
        coalesce(apart.plan_name, billed.plan_name) as plan_name,
        apart.charge,
        coalesce(apart.charge_position, billed.charge_position) as charge_position,
        coalesce(apart.charge_description, billed.charge_description) as charge_description,
        coalesce(apart.line_type, billed.line_type) as own_line_type,
        apart.model,
        apart.meter,
        coalesce(apart.price_book, billed.price_book) as price_book,
        apart.dimensions,
        apart.slice_start_at,
        apart.discount_id,
        coalesce(apart.coupon, billed.coupon) as coupon,
        coalesce(apart.slice_end_at, billed.slice_start_at) as slice_end_at,
        billed.slice_end_at as billed_end_at,
        case
            when billed.first_line_id is null then 'new'
            when apart.rated_id is null then 'gone'
            when apart.slice_end_at < billed.slice_end_at then 'shorter'
            when apart.slice_end_at > billed.slice_end_at then 'longer'
            else 'same'
        end as standing,
        apart.service_start,
        apart.service_end,
        apart.due_at,
        apart.quantity,
        apart.unit_price,
        billed.quantity as billed_quantity,
        apart.amount,
        apart.currency,
        coalesce(apart.tax_code, billed.tax_code) as tax_code,
        coalesce(apart.gl_account, billed.gl_account) as gl_account,
        billed.first_line_id as corrects_line_id,
        apart.cause_event_id
    from apart
    left join billed_apart as billed
        on
            apart.tenant_id = billed.tenant_id
            and apart.subscription_id = billed.subscription_id
            and apart.plan = billed.plan
            and apart.charge = billed.charge
            and apart.currency = billed.currency
            and apart.dimensions = billed.dimensions
            and apart.slice_start_at = billed.slice_start_at
            and apart.discount_id = billed.discount_id

),

-- Nothing of a slice is given back twice: by hand and by the difference.
capped as (

    select
        compared.* replace (
            case
                when compared.discount_id <> '' or compared.amount >= 0 or limits.lowest_amount is null then compared.amount
                else least(0, greatest(compared.amount, limits.lowest_amount))
            end as amount
        )
    from compared
    left join limits
        on
            compared.tenant_id = limits.tenant_id
            and compared.subscription_id = limits.subscription_id
            and compared.plan = limits.plan
            and compared.charge = limits.charge
            and compared.currency = limits.currency
            and compared.dimensions = limits.dimensions
            and compared.slice_start_at = limits.slice_start_at

),

dated as (

    select
        compared.* exclude (service_start, service_end),
        case compared.standing
            when 'shorter' then {{ local_date('compared.slice_end_at', 'customers.timezone') }}
            when 'longer' then {{ local_date('compared.billed_end_at', 'customers.timezone') }}
            when 'gone' then {{ local_date('compared.slice_start_at', 'customers.timezone') }}
            else compared.service_start
        end as service_start,
        case
            when compared.standing in ('shorter', 'gone') then {{ local_date('compared.billed_end_at', 'customers.timezone') }}
            else compared.service_end
        end as service_end
    from capped as compared
    inner join customers
        on
            compared.tenant_id = customers.tenant_id
            and compared.customer_id = customers.customer_id

)

select
    * exclude (own_line_type, billed_end_at, billed_quantity),
    case when standing in ('new', 'longer') or discount_id <> '' then own_line_type else 'adjustment' end as line_type,
    -- Usage that came after its period was billed.
    own_line_type = 'usage' and standing = 'same' and quantity <> billed_quantity as is_late_usage
from dated
where
    amount <> 0
    -- What waits for a price keeps what was billed until there is one.
    and slice_id not in (select slice_id from unpriced)
