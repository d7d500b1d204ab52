-- Every complete month and how far its close is. A month that was never closed is closed with the first later one that is. A close that is
-- refused is tried again by every run.
with

closed as (

    select * from {{ ref('stg_ratehouse__closed_periods') }}

),

stated as (

    select * from {{ ref('stg_ratehouse__period_closes') }}

),

reopenings as (

    select * from {{ ref('stg_ratehouse__period_reopenings') }}

),

due as (

    select * from {{ ref('int_revenue__due_closes') }}

),

months as (

    select distinct
        tenant_id,
        period
    from {{ ref('int_revenue__month_ends') }}
    union
    select
        tenant_id,
        period
    from closed

),

closing as (

    select
        months.tenant_id,
        months.period,
        min(closed.period) as closed_with
    from months
    inner join closed
        on
            months.tenant_id = closed.tenant_id
            and months.period <= closed.period
    group by months.tenant_id, months.period

)

select
    months.tenant_id,
    months.period,
    case
        when closing.closed_with is not null then 'closed'
        when due.refused_by is not null then 'refused'
        when stated.approved_by <> stated.prepared_by then 'approved'
        when stated.prepared_by is not null then 'soft_closed'
        when reopenings.period is not null then 'reopened'
        else 'open'
    end as status,
    closing.closed_with,
    closed.closed_at,
    coalesce(closed.prepared_by, stated.prepared_by) as prepared_by,
    stated.prepared_at,
    stated.prepared_hash,
    coalesce(closed.approved_by, stated.approved_by) as approved_by,
    reopenings.reopened_at,
    reopenings.reopened_by,
    reopenings.reason as reopening_reason,
    due.refused_by,
    closed.known_as_of,
    closed.content_hash
from months
left join closing
    on
        months.tenant_id = closing.tenant_id
        and months.period = closing.period
left join closed
    on
        closing.tenant_id = closed.tenant_id
        and closing.closed_with = closed.period
left join stated
    on
        months.tenant_id = stated.tenant_id
        and months.period = stated.period
left join reopenings
    on
        months.tenant_id = reopenings.tenant_id
        and months.period = reopenings.period
left join due
    on
        months.tenant_id = due.tenant_id
        and months.period = due.period
