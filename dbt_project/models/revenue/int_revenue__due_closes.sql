-- Months to close now: finance said so by this run, the month is over, and whoever prepared the close did not approve
-- it. Months before it that were never closed are closed with it. `refused_by` names what fails of the month or of those: however the
-- close was stated, it waits for the first run in which nothing does.
with

stated as (

    select * from {{ ref('stg_ratehouse__period_closes') }}

),

closed as (

    select * from {{ ref('stg_ratehouse__closed_periods') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

due as (

    select
        stated.tenant_id,
        stated.period,
        stated.closed_at,
        stated.prepared_by,
        stated.approved_by,
        tenants.billing_as_of,
        tenants.known_as_of
    from stated
    inner join tenants on stated.tenant_id = tenants.tenant_id
    left join closed
        on
            stated.tenant_id = closed.tenant_id
            and stated.period = closed.period
    where
        closed.period is null
        and stated.closed_at <= tenants.known_as_of
        and stated.period < strftime({{ local_date('tenants.billing_as_of', 'tenants.timezone') }}, '%Y-%m')
        and (
            (stated.prepared_by is null and stated.approved_by is null)
            or stated.approved_by <> stated.prepared_by
        )

),

-- A month that somebody prepared or reopened waits for its own close.
waiting as (

    select
        tenant_id,
        period
    from stated
    where prepared_by is not null
    union
    select
        tenant_id,
        period
    from {{ ref('stg_ratehouse__period_reopenings') }}

),

failed as (

    select
        due.tenant_id,
        due.period,
        checks.check_name as reason
    from due
    inner join {{ ref('close_checklist') }} as checks
        on
            due.tenant_id = checks.tenant_id
            and due.period >= checks.period
            and checks.status = 'failed'
    left join closed
        on
            checks.tenant_id = closed.tenant_id
            and checks.period <= closed.period
    where closed.period is null
    union
    select
        due.tenant_id,
        due.period,
        'earlier_month_is_open' as reason
    from due
    inner join waiting
        on
            due.tenant_id = waiting.tenant_id
            and due.period > waiting.period
    left join closed
        on
            waiting.tenant_id = closed.tenant_id
            and waiting.period <= closed.period
    left join due as due_itself
        on
            waiting.tenant_id = due_itself.tenant_id
            and waiting.period = due_itself.period
    where closed.period is null and due_itself.period is null

),

refusals as (

    select
        tenant_id,
        period,
        string_agg(reason, ', ' order by reason) as refused_by
    from failed
    group by tenant_id, period

)

select
    due.*,
    refusals.refused_by
from due
left join refusals
    on
        due.tenant_id = refusals.tenant_id
        and due.period = refusals.period
