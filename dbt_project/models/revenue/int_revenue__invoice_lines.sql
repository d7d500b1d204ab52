-- Issued lines net of tax, with the day they were billed and how they are earned: as the charge says, by day or month as the tenant says.
-- A discount is earned as the charge it reduces.
-- depends_on: {{ ref('int_revenue__changed_contracts') }}
{{ config(materialized='by_contract') }}
with

lines as (

    select * from {{ ref('stg_ratehouse__issued_invoice_lines') }}

),

invoices as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

charges as (

    select
        tenant_id,
        subscription_id,
        charge,
        any_value(recognise) as recognise,
        max(recognise_months) as recognise_months,
        max(ssp) as ssp
    from {{ ref('int_proration__slices') }}
    group by tenant_id, subscription_id, charge

),

-- A fee that is earned over time without saying how long is earned over a period of the plan.
periods as (

    select
        tenant_id,
        subscription_id,
        max(cycle_months) as cycle_months
    from {{ ref('int_proration__slices') }}
    group by tenant_id, subscription_id

)

select
    lines.tenant_id,
    lines.invoice_id,
    lines.line_id,
    lines.customer_id,
    lines.subscription_id,
    lines.plan,
    lines.charge,
    lines.line_type,
    lines.dimensions,
    lines.service_start,
    lines.service_end,
    lines.slice_start_at,
    coalesce(lines.discount_id, '') <> '' as is_discount,
    voided_lines.voided_on,
    invoices.bill_date,
    invoices.issued_at,
    invoices.customer_id as billed_to,
    lines.amount,
    lines.currency,
    charges.ssp,
    case
        when charges.recognise = 'as_invoiced' and lines.slice_start_at is not null and lines.adjustment_id is null then 'as_invoiced'
        when charges.recognise = 'ratable' and charges.recognise_months is not null then 'ratable_month'
        when lines.line_type = 'one_time' and charges.recognise = 'ratable' then 'ratable_month'
        when coalesce(charges.recognise, case lines.line_type when 'one_time' then 'point_in_time' end) = 'point_in_time' then 'point_in_time'
        when lines.service_end <= lines.service_start then 'point_in_time'
        when {{ json_text('tenants.document', 'revenue.ratable') }} = 'month' then 'ratable_month'
        else 'ratable_day'
    end as recognise,
    case
        when charges.recognise = 'ratable' and (charges.recognise_months is not null or lines.line_type = 'one_time')
            then cast(lines.service_start + to_months(coalesce(charges.recognise_months, greatest(periods.cycle_months, 1))) as date)
        else lines.service_end
    end as earned_before
from lines
inner join invoices
    on
        lines.tenant_id = invoices.tenant_id
        and lines.invoice_id = invoices.invoice_id
inner join tenants on lines.tenant_id = tenants.tenant_id
left join {{ ref('int_revenue__voided_lines') }} as voided_lines
    on
        lines.tenant_id = voided_lines.tenant_id
        and lines.line_id = voided_lines.line_id
left join charges
    on
        lines.tenant_id = charges.tenant_id
        and lines.subscription_id = charges.subscription_id
        and lines.charge = charges.charge
left join periods
    on
        lines.tenant_id = periods.tenant_id
        and lines.subscription_id = periods.subscription_id
where lines.line_type <> 'tax' and lines.subscription_id is not null
