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
        {{ json_part('document', 'dunning.threshold') }} as thresholds,
        {{ json_part('document', 'dunning.limits') }} as limits,
        {{ json_part('document', 'dunning.steps') }} as steps,
        cast({{ json_text('document', 'dunning.quiet_hours[0]') }} as time) as quiet_from,
        cast({{ json_text('document', 'dunning.quiet_hours[1]') }} as time) as quiet_until
    from tenants

)

select
    * exclude (quiet_from, quiet_until),
    -- When a day's actions are due: at its start, or at the end of the quiet hours that this start lies in.
    case
        when quiet_from > quiet_until or quiet_from = time '00:00:00' then to_minutes(cast(hour(quiet_until) * 60 + minute(quiet_until) as integer))
        else to_minutes(0)
    end as due_after
from parsed
