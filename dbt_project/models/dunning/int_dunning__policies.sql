-- How each tenant follows up what is unpaid (tenant.yaml, `dunning`).
with

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

parsed as (

    select
        tenant_id,
        billing_as_of,
        coalesce({{ json_text('document', 'dunning.scope') }}, 'invoice') as scope,
        coalesce(cast({{ json_text('document', 'dunning.grace_days') }} as integer), 0) as grace_days,
        cast({{ json_text('document', 'dunning.max_attempts') }} as integer) as max_attempts,
        cast({{ json_text('document', 'dunning.days_between') }} as integer) as days_between,
        -- Where a model shall choose the days and has chosen none, the fixed schedule stands in.
        case
            when {{ json_text('document', 'dunning.retry') }} = 'model' then cast([1, 3, 5, 7] as integer [])
            else coalesce(cast({{ json_texts(json_part('document', 'dunning.retry_days')) }} as integer []), cast([] as integer []))
        end as retry_days,
        coalesce({{ json_text('document', 'dunning.retry') }} = 'model', false) as is_planned,
        coalesce(cast({{ json_text('document', 'dunning.recovery.random_percent') }} as decimal(28, 12)), 5) as random_percent,
        coalesce(cast({{ json_text('document', 'dunning.recovery.fixed_percent') }} as decimal(28, 12)), 5) as fixed_percent,
        {{ json_part('document', 'dunning.recovery.retry_cost') }} as retry_costs,
        {{ json_part('document', 'dunning.threshold') }} as thresholds,
        {{ json_part('document', 'dunning.limits') }} as limits,
        {{ json_part('document', 'dunning.steps') }} as steps,
        cast({{ json_text('document', 'dunning.quiet_hours[0]') }} as time) as quiet_from,
        cast({{ json_text('document', 'dunning.quiet_hours[1]') }} as time) as quiet_until
    from tenants

)

select
    * exclude (quiet_from, quiet_until),
    coalesce(
        case
            when quiet_from < quiet_until then quiet_from <= time '12:00:00' and time '12:00:00' < quiet_until
            else quiet_from <= time '12:00:00' or time '12:00:00' < quiet_until
        end,
        false
    ) as is_quiet_at_noon,
    -- When a day's actions are due: at its start, or at the end of the quiet hours that this start lies in.
    case
        when quiet_from > quiet_until or quiet_from = time '00:00:00' then to_minutes(cast(hour(quiet_until) * 60 + minute(quiet_until) as integer))
        else to_minutes(0)
    end as due_after
from parsed
