-- Next invoice = what should have been billed − what has been billed, per service slice and group.
-- A slice that had no line yet gets a line of the charge's own type; one that had gets an adjustment that names it.
with

should as (

    select * from {{ ref('int_invoicing__should_lines') }}

),

billed as (

    select * from {{ ref('int_invoicing__billed_lines') }}

),

unpriced as (

    select distinct slice_id from {{ ref('int_rating__unpriced') }}
    where status <> 'unmatched_price'

),

compared as (

    select
        coalesce(should.tenant_id, billed.tenant_id) as tenant_id,
        coalesce(should.slice_id, billed.slice_id) as slice_id,
        should.rated_id,
        coalesce(should.customer_id, billed.customer_id) as customer_id,
        coalesce(should.subscription_id, billed.subscription_id) as subscription_id,
        coalesce(should.plan, billed.plan) as plan,
        coalesce(should.plan_name, billed.plan_name) as plan_name,
        coalesce(should.charge, billed.charge) as charge,
        coalesce(should.charge_position, billed.charge_position) as charge_position,
        coalesce(should.charge_description, billed.charge_description) as charge_description,
        case when billed.first_line_id is null then should.line_type else 'adjustment' end as line_type,
        should.model,
        should.meter,
        coalesce(should.price_book, billed.price_book) as price_book,
        coalesce(should.dimensions, billed.dimensions) as dimensions,
        coalesce(should.service_start, billed.service_start) as service_start,
        coalesce(should.service_end, billed.service_end) as service_end,
        should.quantity,
        should.unit_price,
        coalesce(should.amount, 0) - coalesce(billed.amount, 0) as amount,
        coalesce(should.currency, billed.currency) as currency,
        coalesce(should.tax_code, billed.tax_code) as tax_code,
        coalesce(should.gl_account, billed.gl_account) as gl_account,
        billed.first_line_id as corrects_line_id,
        should.cause_event_id
    from should
    full outer join billed
        on
            should.tenant_id = billed.tenant_id
            and should.subscription_id = billed.subscription_id
            and should.charge = billed.charge
            and should.currency = billed.currency
            and should.dimensions = billed.dimensions
            and should.service_start = billed.service_start
            and should.service_end = billed.service_end

)

select *
from compared
where
    amount <> 0
    -- What waits for a price keeps what was billed until there is one.
    and slice_id not in (select slice_id from unpriced)
