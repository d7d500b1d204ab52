-- A mark of all that the revenue of a contract follows from: its issued lines, what voids them, its charges and what is rated of them, its end, the
-- closes that its lines were learned after, what closed months have of it, its tenant's settings, and the rules themselves. Where it is what it was,
-- nothing of the contract is recognised again (macros/by_contract.sql). What is stated of contracts is not marked: those are always made again.
{%- set rated_facts = (
    'rated.rated_id', 'rated.slice_id', 'rated.customer_id', 'rated.plan', 'rated.charge', 'rated.dimensions', 'rated.currency', 'rated.amount',
    'rated.quantity', 'rated.service_start', 'rated.service_end', 'rated.service_start_at', 'rated.is_running',
    'rated.service_start <= ' ~ local_date('tenants.billing_as_of', 'tenants.timezone')
) %}
{{ config(tags=['marks']) }}
with

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

closed as (

    select * from {{ ref('int_revenue__last_closes') }}

),

closes as (

    select
        *,
        bit_xor({{ hash_key('learned_after', 'opens_on') }}) over (partition by tenant_id order by learned_after) as mark
    from {{ ref('int_revenue__closes') }}

),

-- Lines and documents never change once they are issued.
lines as (

    select
        lines.tenant_id,
        lines.subscription_id,
        bit_xor({{ hash_key('lines.line_id') }}) as mark,
        max(invoices.issued_at) as issued_at
    from {{ ref('stg_ratehouse__issued_invoice_lines') }} as lines
    inner join {{ ref('stg_ratehouse__issued_invoices') }} as invoices
        on
            lines.tenant_id = invoices.tenant_id
            and lines.invoice_id = invoices.invoice_id
    where lines.subscription_id is not null
    group by lines.tenant_id, lines.subscription_id

),

facts as (

    select
        lines.tenant_id,
        lines.subscription_id as contract_id,
        {{ hash_key('lines.mark', 'closes.mark') }} as mark
    from lines
    left join closes
        on
            lines.tenant_id = closes.tenant_id
            and lines.issued_at > closes.learned_after
            and lines.issued_at <= closes.learned_until
    union all
    select
        tenant_id,
        subscription_id as contract_id,
        {{ hash_key("'voided'", 'line_id', 'voided_on') }} as mark
    from {{ ref('int_revenue__voided_lines') }}
    where subscription_id is not null
    union all
    select
        tenant_id,
        subscription_id as contract_id,
        {{ hash_key("'slice'", 'slice_id', 'charge', 'cycle_months', 'recognise', 'recognise_months', 'ssp') }} as mark
    from {{ ref('int_proration__slices') }}
    union all
    select
        rated.tenant_id,
        rated.subscription_id as contract_id,
        {{ hash_key("'rated'", 'rated.checkpoint_on', *rated_facts) }} as mark
    from {{ ref('int_rating__rated') }} as rated
    inner join tenants on rated.tenant_id = tenants.tenant_id
    where rated.type = 'usage'
    union all
    select
        rated.tenant_id,
        rated.subscription_id as contract_id,
        {{ hash_key("'charged'", *rated_facts) }} as mark
    from {{ ref('int_rating__rated_charges') }} as rated
    inner join tenants on rated.tenant_id = tenants.tenant_id
    where rated.type = 'recurring' and rated.is_running
    union all
    select
        tenant_id,
        subscription_id as contract_id,
        {{ hash_key("'ended'", 'starts_on') }} as mark
    from {{ ref('int_subscriptions__timeline') }}
    where billing = 'off' and ends_on is null
    union all
    select
        tenant_id,
        contract_id,
        {{ hash_key("'closed'", 'obligation_id', 'period', 'posting_period', 'method', 'recognised', 'breakage', 'prior_performance') }} as mark
    from {{ ref('stg_ratehouse__closed_revenue') }}

),

gathered as (

    select
        tenant_id,
        contract_id,
        {{ hash_key('count(*)', 'bit_xor(mark)') }} as mark
    from facts
    group by tenant_id, contract_id

)

select
    gathered.tenant_id,
    gathered.contract_id,
    {{ hash_key('gathered.mark', 'tenants.document', 'tenants.timezone', rules_mark()) }} as mark,
    cast(date_trunc('month', {{ local_date('tenants.billing_as_of', 'tenants.timezone') }}) as date) as reported_before,
    closed.opens_on
from gathered
inner join tenants on gathered.tenant_id = tenants.tenant_id
left join closed on gathered.tenant_id = closed.tenant_id
