-- A mark of all that a subscription's billed terms, periods and service spans follow from: its life as it was made, how far its periods have
-- run by billing_as_of, its suspensions, and whether its first document was paid.
{{ config(tags=['marks']) }}
with

lives as (

    select * from {{ ref('int_subscriptions__made_lives') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

-- The running period of every cycle: a number that is one more whenever a period begins.
running as (

    select
        cycles.*,
        {{ local_date('tenants.billing_as_of', 'cycles.timezone') }} as as_of_on,
        case
            when cycles.months is not null then greatest(datediff('month', cycles.anchor_on, as_of_on), 0) // cycles.months
            else greatest(datediff('day', cycles.anchor_on, as_of_on), 0) // cycles.days
        end as k
    from {{ ref('int_subscriptions__cycles') }} as cycles
    inner join tenants on cycles.tenant_id = tenants.tenant_id

),

facts as (

    select
        tenant_id,
        subscription_id,
        {{ hash_key("'cycle'", 'cycle_no', "case when as_of_on < starts_on then -1 when as_of_on >= ends_on then null else k"
            ~ " + cast(" ~ period_boundary('anchor_on', 'anchor_day', 'months', 'days', 'k - 1') ~ " <= as_of_on as integer)"
            ~ " + cast(" ~ period_boundary('anchor_on', 'anchor_day', 'months', 'days', 'k') ~ " <= as_of_on as integer)"
            ~ " + cast(" ~ period_boundary('anchor_on', 'anchor_day', 'months', 'days', 'k + 1') ~ " <= as_of_on as integer) end") }} as mark
    from running
    union all
    select
        tenant_id,
        subscription_id,
        {{ hash_key("'suspension'", 'is_credited', 'suspension_no', 'starts_on', 'ends_on') }} as mark
    from {{ ref('int_dunning__suspensions') }}
    union all
    select
        tenant_id,
        subscription_id,
        {{ hash_key("'activation'", 'invoice_id', 'ends_at', 'lifecycle') }} as mark
    from {{ ref('int_subscriptions__activations') }}

),

gathered as (

    select
        tenant_id,
        subscription_id,
        {{ hash_key('count(*)', 'bit_xor(mark)') }} as mark
    from facts
    group by tenant_id, subscription_id

)

select
    lives.tenant_id,
    lives.subscription_id,
    {{ hash_key('lives.mark', 'gathered.mark') }} as mark
from lives
left join gathered
    on
        lives.tenant_id = gathered.tenant_id
        and lives.subscription_id = gathered.subscription_id
