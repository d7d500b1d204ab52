-- Spans of days on which subscriptions are suspended: from the day a suspension fell due until the day on which what was owed was
-- settled. It holds for the subscriptions of the unpaid invoice, or for all of the customer's.
with

suspended as (

    select * from {{ ref('int_dunning__due_steps') }}
    where action = 'suspend'

),

settlements as (

    select
        tenant_id,
        subject_id,
        episode_no,
        any_value(timezone) as timezone,
        arg_max(settled_at, from_day) as settled_at
    from {{ ref('int_dunning__subjects') }}
    group by tenant_id, subject_id, episode_no

),

debtors as (

    select distinct
        debtors.tenant_id,
        debtors.subject_id,
        debtors.subscription_id
    from {{ ref('int_dunning__debtors') }} as debtors

),

spans as (

    select
        suspended.tenant_id,
        debtors.subscription_id,
        suspended.billing = 'credit' as is_credited,
        suspended.due_day as starts_on,
        -- The day of payment is billed.
        coalesce({{ local_date('settlements.settled_at', 'settlements.timezone') }}, date '9999-12-31') as ends_on
    from suspended
    inner join settlements
        on
            suspended.tenant_id = settlements.tenant_id
            and suspended.subject_id = settlements.subject_id
            and suspended.episode_no = settlements.episode_no
    inner join debtors
        on
            suspended.tenant_id = debtors.tenant_id
            and suspended.subject_id = debtors.subject_id

),

-- Several unpaid invoices suspend a subscription once, until the last of them is settled.
marked as (

    select
        *,
        starts_on > max(ends_on) over (
            partition by tenant_id, subscription_id, is_credited order by starts_on, ends_on
            rows between unbounded preceding and 1 preceding
        ) as is_apart
    from spans
    where starts_on < ends_on

),

numbered as (

    select
        *,
        sum(case when is_apart then 1 else 0 end) over (
            partition by tenant_id, subscription_id, is_credited order by starts_on, ends_on
        ) as suspension_no
    from marked

)

select
    tenant_id,
    subscription_id,
    is_credited,
    suspension_no,
    min(starts_on) as starts_on,
    nullif(max(ends_on), date '9999-12-31') as ends_on
from numbered
group by tenant_id, subscription_id, is_credited, suspension_no
