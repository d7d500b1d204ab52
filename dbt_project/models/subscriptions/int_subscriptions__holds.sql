-- From when to when the bills of a subscription are on hold, whatever else about it changed meanwhile.
-- depends_on: {{ ref('int_subscriptions__changed_terms') }}
{{ config(materialized='by_subscription', changes='terms') }}
with

held as (

    select
        tenant_id,
        subscription_id,
        starts_at,
        coalesce(ends_at, cast('9999-01-01' as timestamp with time zone)) as ends_at
    from {{ ref('int_subscriptions__terms') }}
    where billing = 'bill_and_hold'

),

flagged as (

    select
        *,
        lag(ends_at) over (partition by tenant_id, subscription_id order by starts_at) is distinct from starts_at as is_new
    from held

),

numbered as (

    select
        *,
        sum(cast(is_new as integer)) over (partition by tenant_id, subscription_id order by starts_at) as hold_no
    from flagged

)

select
    tenant_id,
    subscription_id,
    hold_no,
    min(starts_at) as starts_at,
    max(ends_at) as ends_at
from numbered
group by tenant_id, subscription_id, hold_no
