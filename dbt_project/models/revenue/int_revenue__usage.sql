-- Usage that is earned as it is used (the right-to-invoice expedient, 606-10-55-18): what each slice and group came to by every month end that
-- it touches, priced in the order of use. A slice that was billed has earned what it was billed by its end; one that was not, what it
-- is rated. A discount of usage is earned with it.
-- depends_on: {{ ref('int_revenue__changed_contracts') }}
{{ config(materialized='by_contract') }}
with

lines as (

    select * from {{ ref('int_revenue__invoice_lines') }}
    where recognise = 'as_invoiced'

),

rated as (

    select * from {{ ref('int_rating__rated') }}
    where type = 'usage'

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

charges as (

    select distinct
        tenant_id,
        subscription_id,
        charge
    from {{ ref('int_proration__slices') }}
    where recognise = 'as_invoiced'

),

issued as (

    select
        tenant_id,
        subscription_id,
        plan,
        charge,
        currency,
        dimensions,
        slice_start_at,
        min(customer_id) as customer_id,
        min(service_start) as service_start,
        max(service_end) as service_end,
        coalesce(sum(amount) filter (where not is_discount and voided_on is null), 0) as amount,
        coalesce(sum(amount) filter (where is_discount and voided_on is null), 0) as discount
    from lines
    group by tenant_id, subscription_id, plan, charge, currency, dimensions, slice_start_at

),

owed as (

    select rated.*
    from rated
    inner join charges
        on
            rated.tenant_id = charges.tenant_id
            and rated.subscription_id = charges.subscription_id
            and rated.charge = charges.charge
    where rated.checkpoint_on is null

),

slices as (

    select
        coalesce(owed.tenant_id, issued.tenant_id) as tenant_id,
        coalesce(owed.subscription_id, issued.subscription_id) as subscription_id,
        coalesce(owed.customer_id, issued.customer_id) as customer_id,
        coalesce(owed.plan, issued.plan) as plan,
        coalesce(owed.charge, issued.charge) as charge,
        coalesce(owed.currency, issued.currency) as currency,
        coalesce(owed.dimensions, issued.dimensions) as dimensions,
        concat_ws('|', coalesce(owed.plan, issued.plan), coalesce(owed.charge, issued.charge), coalesce(owed.dimensions, issued.dimensions), coalesce(owed.service_start_at, issued.slice_start_at)) as item_id,
        owed.slice_id,
        coalesce(owed.service_start, issued.service_start) as service_start,
        coalesce(owed.service_end, issued.service_end) as service_end,
        case when issued.amount is null or owed.is_running then owed.amount else issued.amount end as amount,
        coalesce(issued.discount, 0) as discount,
        coalesce(owed.quantity, 0) as quantity
    from owed
    full outer join issued
        on
            owed.tenant_id = issued.tenant_id
            and owed.subscription_id = issued.subscription_id
            and owed.plan = issued.plan
            and owed.charge = issued.charge
            and owed.currency = issued.currency
            and owed.dimensions = issued.dimensions
            and owed.service_start_at = issued.slice_start_at
    where coalesce(owed.is_running, false) or coalesce(issued.amount, owed.amount) <> 0 or issued.discount <> 0

),

months as (

    select
        slices.*,
        last_day(cast(unnest(generate_series(
            cast(date_trunc('month', slices.service_start) as timestamp),
            cast(least(slices.service_end, date_trunc('month', {{ local_date('tenants.billing_as_of', 'tenants.timezone') }})) as timestamp) - to_days(1),
            to_months(1)
        )) as date)) as as_of
    from slices
    inner join tenants on slices.tenant_id = tenants.tenant_id

),

checked as (

    select
        months.*,
        case when months.as_of + 1 >= months.service_end then months.amount else coalesce(rated.amount, 0) end as amount_to_date,
        case when months.as_of + 1 >= months.service_end then months.quantity else coalesce(rated.quantity, 0) end as quantity_to_date
    from months
    left join rated
        on
            months.slice_id = rated.checked_slice_id
            and months.dimensions = rated.dimensions
            and rated.checkpoint_on = months.as_of + 1

)

select
    checked.tenant_id,
    checked.subscription_id,
    checked.customer_id,
    checked.plan,
    checked.charge,
    checked.dimensions,
    checked.currency,
    checked.item_id,
    checked.as_of,
    checked.service_start,
    checked.service_end,
    checked.quantity_to_date,
    {{ to_minor('checked.amount + checked.discount', 'currencies.minor_digits') }} as amount,
    cast({{ to_minor('checked.amount_to_date', 'currencies.minor_digits') }}
    + case
        when checked.amount = 0 or checked.as_of + 1 >= checked.service_end
            then case when checked.as_of + 1 >= checked.service_end then {{ to_minor('checked.discount', 'currencies.minor_digits') }} else 0 end
        else {{ divide_half_up(
            '(' ~ to_minor('checked.discount', 'currencies.minor_digits') ~ ' * ' ~ to_minor('checked.amount_to_date', 'currencies.minor_digits') ~ ' * sign(checked.amount))',
            'greatest(abs(' ~ to_minor('checked.amount', 'currencies.minor_digits') ~ '), 1)'
        ) }}
    end as hugeint) as amount_to_date
from checked
inner join {{ ref('currencies') }} as currencies on checked.currency = currencies.currency
