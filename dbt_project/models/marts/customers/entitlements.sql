-- What a customer may use now: the features of the plans of its subscriptions, with how far a feature that is metered is used up in
-- the running period. Where several subscriptions have a feature, the best stands: one that serves before one that is blocked, then
-- the largest number, `true` before `false`, the oldest subscription.
with

subscriptions as (

    select * from {{ ref('subscriptions') }}
    where lifecycle not in ('pending_start', 'ended', 'expired_activation')

),

plans as (

    select * from {{ ref('int_rating__plans') }}

),

-- What several charges read of one meter is used once.
usage as (

    select
        tenant_id,
        subscription_id,
        meter,
        max(quantity) as used_quantity
    from (
        select
            subscriptions.tenant_id,
            subscriptions.subscription_id,
            usage_by_period.meter,
            usage_by_period.charge,
            sum(usage_by_period.quantity) as quantity
        from {{ ref('usage_by_period') }} as usage_by_period
        inner join subscriptions
            on
                usage_by_period.tenant_id = subscriptions.tenant_id
                and usage_by_period.subscription_id = subscriptions.subscription_id
                and usage_by_period.period_start < subscriptions.current_period_end
                and usage_by_period.period_end > subscriptions.current_period_start
        group by subscriptions.tenant_id, subscriptions.subscription_id, usage_by_period.meter, usage_by_period.charge
    ) as charges
    group by tenant_id, subscription_id, meter

),

features as (

    select
        subscriptions.tenant_id,
        subscriptions.customer_id,
        subscriptions.subscription_id,
        subscriptions.service_access,
        subscriptions.started_on,
        least(subscriptions.current_period_end, subscriptions.ends_on) as valid_until,
        unnest({{ json_entries('plans.features') }}) as entry
    from subscriptions
    inner join plans
        on
            subscriptions.tenant_id = plans.tenant_id
            and subscriptions.price_book = plans.price_book
            and subscriptions.plan = plans.plan

),

valued as (

    select
        *,
        entry.key as feature,
        {{ json_text('entry.value') }} as value
    from features

),

best as (

    select
        *,
        try_cast(value as decimal(28, 10)) as limit_quantity
    from valued
    qualify row_number() over (
        partition by tenant_id, customer_id, feature
        order by
            service_access = 'blocked',
            limit_quantity desc nulls last,
            value = 'true' desc,
            started_on,
            subscription_id
    ) = 1

)

select
    best.tenant_id,
    best.customer_id,
    best.subscription_id,
    best.feature,
    best.value,
    coalesce(best.value, '') <> 'false' and best.service_access <> 'blocked' as granted,
    best.limit_quantity,
    cast(usage.used_quantity as decimal(28, 10)) as used_quantity,
    best.valid_until,
    best.service_access
from best
left join usage
    on
        best.tenant_id = usage.tenant_id
        and best.subscription_id = usage.subscription_id
        and best.feature = usage.meter
