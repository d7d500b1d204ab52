-- The billing periods that a term left early would still have had, from the day of leaving to the term's end.
with

early as (

    select * from {{ ref('int_subscriptions__early_terminations') }}

),

cycles as (

    select * from {{ ref('int_subscriptions__cycles') }}

),

numbered as (

    select
        early.tenant_id,
        early.subscription_id,
        early.early_termination,
        early.left_on,
        early.left_at,
        early.term_ends_on,
        cycles.cycle_no,
        cycles.timezone,
        cycles.anchor_on,
        cycles.anchor_day,
        cycles.months,
        cycles.days,
        unnest(range(-1, case
            when cycles.months is not null then greatest(datediff('month', cycles.anchor_on, early.term_ends_on), 0) // cycles.months
            else greatest(datediff('day', cycles.anchor_on, early.term_ends_on), 0) // cycles.days
        end + 2)) as k
    from early
    inner join cycles
        on
            early.tenant_id = cycles.tenant_id
            and early.subscription_id = cycles.subscription_id
            and early.left_on = cycles.ends_on

),

bounded as (

    select
        *,
        {{ period_boundary('anchor_on', 'anchor_day', 'months', 'days', 'k') }} as cycle_start,
        {{ period_boundary('anchor_on', 'anchor_day', 'months', 'days', 'k + 1') }} as cycle_end
    from numbered

),

cut as (

    select
        *,
        greatest(cycle_start, left_on) as period_start,
        least(cycle_end, term_ends_on) as period_end
    from bounded
    where cycle_end > left_on and cycle_start < term_ends_on

)

select
    tenant_id,
    subscription_id,
    early_termination,
    left_on,
    cycle_no,
    period_start,
    period_end,
    cycle_start,
    cycle_end,
    datediff('day', cycle_start, cycle_end) as cycle_days,
    coalesce(months, 0) as cycle_months,
    case when period_start = left_on then left_at else {{ start_of_day('period_start', 'timezone') }} end as period_start_at,
    {{ start_of_day('period_end', 'timezone') }} as period_end_at,
    period_end - 1 as last_day,
    true as is_begun,
    false as is_trial
from cut
