-- From what a customer's MRR says of a month to the revenue that was posted in it, step by step; the last step takes the revenue off, so
-- that the rows of a month add up to nothing. Every step is added up from its own items, but for the one between MRR and the recurring fees that
-- were earned: where the customer's MRR moved in the month it is proration, elsewhere timing. In their own currency, so without rates.
{%- set steps = [
    'mrr', 'proration', 'timing', 'discounts', 'credits', 'minimums', 'usage', 'one_time', 'allocation', 'other', 'contracts', 'late',
    'learned_later', 'revenue'
] %}
with

contracts as (

    select * from {{ ref('int_revenue__booked_contracts') }}

),

tenants as (

    select
        tenant_id,
        strftime({{ local_date('billing_as_of', 'timezone') }}, '%Y-%m') as running_period
    from {{ ref('stg_ratehouse__tenants') }}

),

mrr as (

    select
        mrr.tenant_id,
        mrr.customer_id,
        mrr.period,
        mrr.currency,
        mrr.closing,
        mrr.closing <> mrr.opening as has_moved
    from {{ ref('mrr_by_month') }} as mrr
    inner join tenants on mrr.tenant_id = tenants.tenant_id
    where mrr.period < tenants.running_period

),

lines as (

    select * from {{ ref('stg_ratehouse__issued_invoice_lines') }}

),

charges as (

    select distinct
        tenant_id,
        subscription_id,
        charge,
        type
    from {{ ref('int_proration__slices') }}

),

-- What each item of a subscription that is its own contract earned in a month, as it is known now.
items as (

    select
        schedules.tenant_id,
        schedules.contract_id,
        schedules.period,
        schedules.recognised,
        case
            when schedules.recognise = 'as_invoiced' then 'usage'
            when schedules.item_id like 'start|%' then 'allocation'
            when lines.line_type = 'discount' or coalesce(lines.discount_id, '') <> '' then 'discounts'
            when lines.line_type = 'credit' or lines.adjustment_id is not null then 'credits'
            when lines.line_type = 'minimum' then 'minimums'
            -- A correction is of the kind that it corrects; what has no line is a fee that is served before it is billed.
            when lines.line_type is null then 'recurring'
            when lines.line_type <> 'adjustment' then lines.line_type
            when charges.type = 'minimum' then 'minimums'
            else coalesce(charges.type, 'other')
        end as step
    from {{ ref('int_revenue__line_schedules') }} as schedules
    left join lines
        on
            schedules.tenant_id = lines.tenant_id
            and schedules.item_id = lines.line_id
    left join charges
        on
            lines.tenant_id = charges.tenant_id
            and lines.subscription_id = charges.subscription_id
            and lines.charge = charges.charge

),

earned as (

    select
        tenant_id,
        contract_id,
        period,
        step,
        recognised
    from items
    union all
    select
        revenue.tenant_id,
        revenue.contract_id,
        revenue.period,
        'contracts' as step,
        revenue.recognised
    from {{ ref('int_revenue__earned') }} as revenue
    inner join contracts
        on
            revenue.tenant_id = contracts.tenant_id
            and revenue.contract_id = contracts.contract_id
    where contracts.subscription_id is null and revenue.period = revenue.posting_period

),

posted as (

    select
        tenant_id,
        contract_id,
        posting_period,
        case when period < posting_period then 'late' else 'on_time' end as step,
        recognised
    from {{ ref('int_revenue__recognised') }}

),

parts as (

    select
        tenant_id,
        contract_id,
        period,
        step,
        recognised
    from earned
    union all
    select
        tenant_id,
        contract_id,
        posting_period as period,
        step,
        recognised
    from posted
    where step = 'late'
    union all
    -- A closed month has what was known when it was closed: what is earned by now and was not then is taken off again.
    select
        tenant_id,
        contract_id,
        posting_period as period,
        'learned_later' as step,
        recognised
    from posted
    where step = 'on_time'
    union all
    select
        tenant_id,
        contract_id,
        period,
        'learned_later' as step,
        -recognised as recognised
    from earned

),

amounts as (

    select
        parts.tenant_id,
        contracts.customer_id,
        parts.period,
        contracts.currency,
        parts.step,
        {{ from_minor('parts.recognised', 'contracts.minor_digits') }} as amount
    from parts
    inner join contracts
        on
            parts.tenant_id = contracts.tenant_id
            and parts.contract_id = contracts.contract_id
    union all
    select
        tenant_id,
        customer_id,
        period,
        currency,
        'mrr' as step,
        closing as amount
    from mrr
    union all
    select
        tenant_id,
        customer_id,
        period,
        currency,
        'recurring' as step,
        -closing as amount
    from mrr
    union all
    select
        tenant_id,
        customer_id,
        posting_period as period,
        currency,
        'revenue' as step,
        -recognised as amount
    from {{ ref('revenue_by_period') }}

),

named as (

    select
        amounts.tenant_id,
        amounts.customer_id,
        amounts.period,
        amounts.currency,
        case
            when amounts.step <> 'recurring' then amounts.step
            -- A customer without MRR at either end of the month came and went inside it.
            when coalesce(mrr.has_moved, true) then 'proration'
            else 'timing'
        end as step,
        amounts.amount
    from amounts
    inner join tenants on amounts.tenant_id = tenants.tenant_id
    left join mrr
        on
            amounts.tenant_id = mrr.tenant_id
            and amounts.customer_id = mrr.customer_id
            and amounts.currency = mrr.currency
            and amounts.period = mrr.period
    where amounts.period < tenants.running_period

)

select
    tenant_id,
    customer_id,
    period,
    currency,
    case step
        {%- for step in steps %}
        when '{{ step }}' then {{ loop.index }}
        {%- endfor %}
    end as step_no,
    step,
    cast(sum(amount) as decimal(20, 4)) as amount
from named
group by tenant_id, customer_id, period, currency, step
having sum(amount) <> 0
