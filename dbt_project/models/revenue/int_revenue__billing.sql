-- What was billed, credited, refunded and paid on a contract, by day and in minor units: its own events, and the issued lines
-- of its subscriptions. A bill counts from the day it is due without condition (606-10-45-4).
-- depends_on: {{ ref('int_revenue__changed_contracts') }}
{{ config(materialized='by_contract') }}
with

contracts as (

    select * from {{ ref('int_revenue__contracts') }}

),

stated as (

    select * from {{ ref('int_revenue__stated_contracts') }}

),

events as (

    select * from {{ ref('stg_ratehouse__contract_events') }}
    where type in ('billed', 'credit', 'refund', 'paid')

),

lines as (

    select * from {{ ref('int_revenue__invoice_lines') }}

),

closes as (

    select * from {{ ref('int_revenue__closes') }}

),

subscriptions as (

    select
        tenant_id,
        contract_id,
        subscription_id
    from contracts
    where subscription_id is not null
    union all
    select
        tenant_id,
        contract_id,
        unnest({{ json_texts('subscription_ids') }}) as subscription_id
    from stated

)

select
    events.tenant_id,
    events.contract_id,
    {{ json_text('events.data', 'obligation_id') }} as obligation_id,
    events.type,
    greatest(coalesce(cast({{ json_text('events.data', 'due_on') }} as date), events.effective_on), closes.opens_on) as posted_on,
    {{ json_text('events.data', 'variable_id') }} as variable_id,
    {{ json_text('events.data', 'provider') }} as provider,
    cast(null as varchar) as invoice_id,
    cast(null as varchar) as billed_to,
    {{ to_minor('cast(' ~ json_text('events.data', 'amount') ~ ' as decimal(38, 12))', 'contracts.minor_digits') }} as amount
from events
inner join contracts
    on
        events.tenant_id = contracts.tenant_id
        and events.contract_id = contracts.contract_id
left join closes
    on
        events.tenant_id = closes.tenant_id
        and events.recorded_at > closes.learned_after
        and events.recorded_at <= closes.learned_until
union all
select
    lines.tenant_id,
    subscriptions.contract_id,
    lines.charge as obligation_id,
    'billed' as type,
    greatest(lines.bill_date, closes.opens_on) as posted_on,
    cast(null as varchar) as variable_id,
    cast(null as varchar) as provider,
    lines.invoice_id,
    lines.billed_to,
    {{ money_to_minor('lines.amount', 'contracts.minor_digits') }} as amount
from lines
inner join subscriptions
    on
        lines.tenant_id = subscriptions.tenant_id
        and lines.subscription_id = subscriptions.subscription_id
inner join contracts
    on
        subscriptions.tenant_id = contracts.tenant_id
        and subscriptions.contract_id = contracts.contract_id
left join closes
    on
        lines.tenant_id = closes.tenant_id
        and lines.issued_at > closes.learned_after
        and lines.issued_at <= closes.learned_until
union all
select
    lines.tenant_id,
    subscriptions.contract_id,
    lines.charge as obligation_id,
    'voided' as type,
    lines.voided_on as posted_on,
    cast(null as varchar) as variable_id,
    cast(null as varchar) as provider,
    lines.invoice_id,
    lines.billed_to,
    {{ money_to_minor('lines.amount', 'contracts.minor_digits') }} as amount
from lines
inner join subscriptions
    on
        lines.tenant_id = subscriptions.tenant_id
        and lines.subscription_id = subscriptions.subscription_id
inner join contracts
    on
        subscriptions.tenant_id = contracts.tenant_id
        and subscriptions.contract_id = contracts.contract_id
where lines.voided_on is not null
