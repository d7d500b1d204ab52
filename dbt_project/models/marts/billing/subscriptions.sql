with

states as (

    select * from {{ ref('int_subscriptions__states') }}

),

collections as (

    select * from {{ ref('int_dunning__collections') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

-- A month of the recurring charges in force: a full cycle's amount by its months, or by the twelfth of 365 days.
monthly as (

    select
        slices.tenant_id,
        slices.subscription_id,
        sum({{ prorate(
            'rated.amount_exact',
            '(slices.cycle_units * case when slices.cycle_months > 0 then 1 else 365 end)',
            '(slices.service_units * case when slices.cycle_months > 0 then slices.cycle_months else 12 * slices.cycle_days end)'
        ) }}) as amount
    from {{ ref('int_proration__slices') }} as slices
    inner join {{ ref('int_rating__rated') }} as rated
        on
            slices.tenant_id = rated.tenant_id
            and slices.slice_id = rated.slice_id
    inner join states
        on
            slices.tenant_id = states.tenant_id
            and slices.subscription_id = states.subscription_id
            and slices.service_start <= states.today
            and slices.service_end > states.today
    where slices.type = 'recurring' and slices.service_units > 0
    group by slices.tenant_id, slices.subscription_id

),

living as (

    select
        states.*,
        coalesce(collections.collection, 'clear') as collection,
        coalesce(collections.service_access, 'full') as collected_access,
        case
            when not states.has_begun then 'pending_start'
            when states.terms_billing = 'off' then 'ended'
            when states.today < states.trial_end then 'trialing'
            else 'active'
        end as lifecycle
    from states
    left join collections
        on
            states.tenant_id = collections.tenant_id
            and states.subscription_id = collections.subscription_id

)

select
    living.tenant_id,
    living.subscription_id,
    living.customer_id,
    living.plan,
    living.price_book,
    living.currency,
    living.lifecycle,
    living.collection,
    -- The worst of what collection, a pause and the life of the subscription allow.
    case
        when living.lifecycle in ('pending_start', 'ended') or living.terms_billing = 'stop' then 'blocked'
        else living.collected_access
    end as service_access,
    case living.terms_billing
        when 'off' then 'off'
        when 'on' then 'on'
        else 'paused'
    end as billing,
    case
        when living.lifecycle = 'ended' or living.ends_on > living.today then 'will_end'
        when living.will_change then 'will_change'
        else 'auto_renew'
    end as renewal,
    living.started_on,
    living.current_period_start,
    living.current_period_end,
    living.trial_end,
    living.ends_on,
    {{ round_money('coalesce(monthly.amount, 0)', 'currencies.minor_digits', 'tenants.rounding_mode') }} as mrr
from living
inner join tenants on living.tenant_id = tenants.tenant_id
inner join currencies on living.currency = currencies.currency
left join monthly
    on
        living.tenant_id = monthly.tenant_id
        and living.subscription_id = monthly.subscription_id
