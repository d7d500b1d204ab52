-- The steps of every ladder in their order, once a pass, and what is done at each. Where there are days between attempts, the ladder
-- is gone through as often as there are attempts.
with

policies as (

    select * from {{ ref('int_dunning__policies') }}

),

numbered as (

    select
        tenant_id,
        segment,
        days_between,
        case when days_between is null then 1 else coalesce(max_attempts, 1) end as passes,
        unnest({{ json_elements('steps') }}) as step,
        generate_subscripts({{ json_elements('steps') }}, 1) as step_no
    from policies

),

dated as (

    select
        tenant_id,
        segment,
        days_between,
        passes,
        step_no,
        cast({{ json_text('step', 'after_days') }} as integer) as after_days,
        coalesce({{ json_text('step', 'billing') }}, 'keep') as billing,
        {{ json_texts(json_part('step', 'actions')) }} as actions
    from numbered

)

select
    * exclude (passes),
    unnest(range(1, passes + 1)) as pass_no,
    after_days - min(after_days) over (partition by tenant_id, segment) as days_into_pass
from dated
