-- How each tenant follows up what is unpaid (tenant.yaml, `dunning`): everybody who is in no segment (""), and each segment.
with

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

documents as (

    select
        tenant_id,
        billing_as_of,
        '' as segment,
        {{ json_part('document', 'dunning') }} as document
    from tenants
    union all
    select
        tenant_id,
        billing_as_of,
        {{ json_text('document', 'segment') }} as segment,
        document
    from (
        select
            tenant_id,
            billing_as_of,
            unnest({{ json_elements(json_part('document', 'dunning.segments')) }}) as document
        from tenants
    ) as segments

),

parsed as (

    select
        tenant_id,
        segment,
        billing_as_of,
        coalesce({{ json_text('document', 'scope') }}, 'invoice') as scope,
        coalesce(cast({{ json_text('document', 'grace_days') }} as integer), 0) as grace_days,
        cast({{ json_text('document', 'max_attempts') }} as integer) as max_attempts,
        cast({{ json_text('document', 'days_between') }} as integer) as days_between,
        -- Where a model shall choose the days and has chosen none, the fixed schedule stands in.
        case
            when {{ json_text('document', 'retry') }} = 'model' then cast([1, 3, 5, 7] as integer [])
            else coalesce(cast({{ json_texts(json_part('document', 'retry_days')) }} as integer []), cast([] as integer []))
        end as retry_days,
        coalesce({{ json_text('document', 'retry') }} = 'model', false) as is_planned,
        coalesce(cast({{ json_text('document', 'recovery.random_percent') }} as decimal(28, 12)), 5) as random_percent,
        coalesce(cast({{ json_text('document', 'recovery.fixed_percent') }} as decimal(28, 12)), 5) as fixed_percent,
        {{ json_part('document', 'recovery.retry_cost') }} as retry_costs,
        {{ json_part('document', 'threshold') }} as thresholds,
        {{ json_part('document', 'limits') }} as limits,
        {{ json_part('document', 'steps') }} as steps,
        cast({{ json_text('document', 'quiet_hours[0]') }} as time) as quiet_from,
        cast({{ json_text('document', 'quiet_hours[1]') }} as time) as quiet_until
    from documents

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
