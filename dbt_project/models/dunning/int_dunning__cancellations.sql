-- Subscriptions that a ladder cancelled, as the events that a subscription's fold reads.
with

cancelled as (

    select
        tenant_id,
        subject_id,
        min({{ start_of_day('due_day', 'timezone') }} + due_after) as due_at
    from {{ ref('int_dunning__due_steps') }}
    where action = 'cancel'
    group by tenant_id, subject_id

),

debtors as (

    select distinct
        tenant_id,
        subject_id,
        subscription_id
    from {{ ref('int_dunning__debtors') }}

),

owners as (

    select
        tenant_id,
        subscription_id,
        any_value(customer_id) as customer_id
    from {{ ref('stg_ratehouse__subscription_events') }}
    where type = 'created'
    group by tenant_id, subscription_id

)

select
    cancelled.tenant_id,
    'dunning:' || owners.subscription_id || ':' || epoch_us(min(cancelled.due_at)) as event_id,
    owners.subscription_id,
    owners.customer_id,
    'cancelled' as type,
    min(cancelled.due_at) as effective_at,
    min(cancelled.due_at) as recorded_at,
    'dunning' as actor,
    '{}' as data
from cancelled
inner join debtors
    on
        cancelled.tenant_id = debtors.tenant_id
        and cancelled.subject_id = debtors.subject_id
inner join owners
    on
        debtors.tenant_id = owners.tenant_id
        and debtors.subscription_id = owners.subscription_id
group by cancelled.tenant_id, owners.subscription_id, owners.customer_id
