-- What a subscription that is its own contract earns by its own days: every issued line that is not usage and not void, the shift between charges that carry
-- an SSP, and fees that are served before they are billed. Usage is in `int_revenue__usage`.
-- depends_on: {{ ref('int_revenue__changed_contracts') }}
{{ config(materialized='by_contract') }}
with

lines as (

    select * from {{ ref('int_revenue__invoice_lines') }}
    where recognise <> 'as_invoiced'

),

valid_lines as (

    select * from lines
    where voided_on is null

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

billed as (

    select
        lines.tenant_id,
        lines.subscription_id,
        lines.customer_id,
        lines.charge,
        lines.currency,
        lines.line_id as item_id,
        lines.recognise,
        lines.service_start as starts_on,
        lines.earned_before as ends_on,
        {{ money_to_minor('lines.amount', 'currencies.minor_digits') }} as amount
    from valid_lines as lines
    inner join currencies on lines.currency = currencies.currency

),

first_bills as (

    select
        tenant_id,
        subscription_id,
        min(bill_date) as bill_date
    from valid_lines
    group by tenant_id, subscription_id

),

-- What is billed at the start for charges with an SSP is one price of several obligations (606-10-32-31).
bundled as (

    select
        started.tenant_id,
        started.subscription_id as contract_id,
        started.charge as obligation_id,
        'start' as pool,
        started.bill_date as as_of,
        min(started.customer_id) as customer_id,
        min(started.currency) as currency,
        arg_min(started.recognise, started.line_id) as recognise,
        min(started.service_start) as starts_on,
        max(started.earned_before) as ends_on,
        sum({{ money_to_minor('started.amount', 'currencies.minor_digits') }}) as billed,
        {{ to_scaled('cast(max(started.ssp) as decimal(38, 12))', 12) }} as weight
    from valid_lines as started
    inner join first_bills
        on
            started.tenant_id = first_bills.tenant_id
            and started.subscription_id = first_bills.subscription_id
            and started.bill_date = first_bills.bill_date
    inner join currencies on started.currency = currencies.currency
    where started.ssp is not null
    group by started.tenant_id, started.subscription_id, started.charge, started.bill_date

),

members as (

    select
        *,
        sum(billed) over (partition by tenant_id, contract_id) as amount
    from bundled

),

{{ split_by_weight('members', 'shares') }},

shifted as (

    select
        tenant_id,
        contract_id as subscription_id,
        customer_id,
        obligation_id as charge,
        currency,
        'start|' || obligation_id as item_id,
        recognise,
        starts_on,
        ends_on,
        allocated - billed as amount
    from shares
    where allocated <> billed

),

-- Fees in arrears, and fees whose bills are on hold, are served before they are billed.
unbilled as (

    select
        rated.tenant_id,
        rated.subscription_id,
        rated.customer_id,
        rated.charge,
        rated.currency,
        rated.rated_id as item_id,
        case when {{ json_text('tenants.document', 'revenue.ratable') }} = 'month' then 'ratable_month' else 'ratable_day' end as recognise,
        rated.service_start as starts_on,
        rated.service_end as ends_on,
        {{ to_minor('rated.amount', 'currencies.minor_digits') }} as amount
    from {{ ref('int_rating__rated_charges') }} as rated
    inner join tenants on rated.tenant_id = tenants.tenant_id
    inner join currencies on rated.currency = currencies.currency
    left join lines
        on
            rated.tenant_id = lines.tenant_id
            and rated.subscription_id = lines.subscription_id
            and rated.plan = lines.plan
            and rated.charge = lines.charge
            and rated.service_start_at = lines.slice_start_at
    where
        rated.type = 'recurring'
        and rated.is_running
        and rated.service_start <= {{ local_date('tenants.billing_as_of', 'tenants.timezone') }}
        and lines.line_id is null

),

-- From the month in which a subscription ends, nothing more is transferred: what was billed and not credited is earned.
endings as (

    select
        tenant_id,
        subscription_id,
        starts_on as ended_on
    from {{ ref('int_subscriptions__timeline') }}
    where billing = 'off' and ends_on is null

)

select
    items.*,
    endings.ended_on
from (
    select * from billed
    union all
    select * from shifted
    union all
    select * from unbilled
) as items
left join endings
    on
        items.tenant_id = endings.tenant_id
        and items.subscription_id = endings.subscription_id
where items.amount <> 0
