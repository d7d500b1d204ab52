-- Where every manual adjustment stands with the two people it takes. One that names nobody was decided elsewhere and counts as it is,
-- unless the tenant lets all of them wait. One that names who asks for it waits until somebody else approves it, in the same row or
-- by a decision of its own. The first decision that counts stands: on what is asked for now, and no approval by the one who asks.
with

adjustments as (

    select
        *,
        lower(trim(coalesce(requested_by, approved_by))) as asked_by
    from {{ ref('stg_ratehouse__adjustments') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

decisions as (

    select
        approvals.tenant_id,
        approvals.adjustment_id,
        arg_min(
            {
                'decision': approvals.decision,
                'decided_by': approvals.decided_by,
                'decided_at': approvals.decided_at,
                'reason': approvals.reason,
                'recorded_at': approvals.recorded_at
            },
            (approvals.recorded_at, approvals.decided_at, approvals.decision, approvals.decided_by)
        ) as first_one
    from {{ ref('stg_ratehouse__adjustment_approvals') }} as approvals
    inner join adjustments
        on
            approvals.tenant_id = adjustments.tenant_id
            and approvals.adjustment_id = adjustments.adjustment_id
            and approvals.recorded_at >= adjustments.recorded_at
    where approvals.decision = 'refuse' or adjustments.asked_by is null or lower(trim(approvals.decided_by)) <> adjustments.asked_by
    group by approvals.tenant_id, approvals.adjustment_id

),

judged as (

    select
        adjustments.*,
        adjustments.asked_by is null and tenants.adjustment_approval = 'requested' as is_stated,
        coalesce(lower(trim(adjustments.approved_by)) <> lower(trim(adjustments.requested_by)), false) as came_approved,
        decisions.first_one
    from adjustments
    inner join tenants on adjustments.tenant_id = tenants.tenant_id
    left join decisions
        on
            adjustments.tenant_id = decisions.tenant_id
            and adjustments.adjustment_id = decisions.adjustment_id

)

select
    * exclude (asked_by, is_stated, came_approved, first_one),
    case
        when is_stated or came_approved or first_one.decision = 'approve' then 'approved'
        when first_one.decision = 'refuse' then 'refused'
        else 'waiting'
    end as standing,
    case when not is_stated then case when came_approved then approved_by else first_one.decided_by end end as decided_by,
    case when not is_stated then case when came_approved then recorded_at else first_one.decided_at end end as decided_at,
    case when not is_stated and not came_approved then first_one.reason end as decision_reason,
    -- From when on it counts.
    case when is_stated or came_approved then recorded_at else first_one.recorded_at end as settled_at
from judged
