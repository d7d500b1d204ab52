-- Every row that was refused, with the reason: those that broke their stream's contract when they landed, and the conflicting
-- copies that only the whole history shows.
with

rejected as (

    select * from {{ source('raw', 'rejected') }}

),

replays as (

    select distinct
        tenant_id,
        reject_id
    from {{ source('raw', 'rejected_replays') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

conflicts as (

    select * from {{ ref('int_metering__repeated_events') }}
    where standing = 'conflict'

),

refused_adjustments as (

    select * from {{ ref('int_credits__adjustments') }}
    where verdict = 'adjustment_too_large'

),

refused_changes as (

    select
        events.tenant_id,
        events.event_id,
        events.subscription_id,
        events.type,
        events.effective_at,
        events.recorded_at,
        folds.verdict
    from {{ ref('int_subscriptions__folds') }} as folds
    inner join {{ ref('int_subscriptions__events') }} as events
        on
            folds.tenant_id = events.tenant_id
            and folds.subscription_id = events.subscription_id
            and folds.event_order = events.event_order
    where folds.verdict not in ('accepted', 'superseded', 'ignored')
    union all
    -- What is said of a subscription that never started met no state at all.
    select
        events.tenant_id,
        events.event_id,
        events.subscription_id,
        events.type,
        events.effective_at,
        events.recorded_at,
        case when events.type = 'created' then 'missing_customer' else 'forbidden_transition' end as verdict
    from {{ ref('stg_ratehouse__subscription_events') }} as events
    left join {{ ref('int_subscriptions__events') }} as known
        on
            events.tenant_id = known.tenant_id
            and events.event_id = known.event_id
    where events.subscription_id is not null and known.event_id is null

),

refused_contracts as (

    select
        contracts.*,
        contracts.telling < stated.telling as is_corrected,
        verdicts.refusal
    from {{ ref('stg_ratehouse__contracts') }} as contracts
    inner join {{ ref('int_revenue__refusals') }} as verdicts
        on
            contracts.tenant_id = verdicts.tenant_id
            and contracts.contract_id = verdicts.contract_id
            and contracts.telling = verdicts.telling
    inner join {{ ref('int_revenue__stated_contracts') }} as stated
        on
            contracts.tenant_id = stated.tenant_id
            and contracts.contract_id = stated.contract_id
            and contracts.telling <= stated.telling

)

select
    rejected.tenant_id,
    rejected.reject_id,
    rejected.stream,
    rejected.reason_code,
    rejected.reason,
    rejected.payload,
    rejected.file,
    rejected.line,
    rejected.recorded_at,
    replays.reject_id is not null as replayed
from rejected
inner join clocks on rejected.tenant_id = clocks.tenant_id
left join replays
    on
        rejected.tenant_id = replays.tenant_id
        and rejected.reject_id = replays.reject_id
where rejected.recorded_at <= clocks.known_as_of
union all
select
    conflicts.tenant_id,
    md5(concat_ws('|', conflicts.tenant_id, conflicts.event_id, conflicts.recorded_at, conflicts.occurred_at, conflicts.quantity, conflicts.properties)) as reject_id,
    'usage_events' as stream,
    'duplicate_conflict' as reason_code,
    'event ' || conflicts.event_id || ' is known with other content; the first copy counts' as reason,
    cast(to_json(conflicts) as varchar) as payload,
    cast(null as varchar) as file,
    cast(null as bigint) as line,
    conflicts.recorded_at,
    false as replayed
from conflicts
inner join clocks on conflicts.tenant_id = clocks.tenant_id
where conflicts.recorded_at <= clocks.known_as_of
union all
select
    tenant_id,
    md5(concat_ws('|', tenant_id, event_id, verdict)) as reject_id,
    'subscription_events' as stream,
    verdict as reason_code,
    case verdict
        when 'forbidden_transition' then 'the subscription ' || subscription_id || ' was in no state that allows ' || type || ' on ' || effective_at
        else 'the event ' || event_id || ' of subscription ' || subscription_id || ' is refused: ' || verdict
    end as reason,
    cast(to_json(refused_changes) as varchar) as payload,
    cast(null as varchar) as file,
    cast(null as bigint) as line,
    recorded_at,
    false as replayed
from refused_changes
union all
select
    tenant_id,
    md5(concat_ws('|', tenant_id, adjustment_id, line_id)) as reject_id,
    'adjustments' as stream,
    verdict as reason_code,
    'adjustment ' || adjustment_id || ' asks for more than is left of line ' || line_id as reason,
    cast(to_json(refused_adjustments) as varchar) as payload,
    cast(null as varchar) as file,
    cast(null as bigint) as line,
    recorded_at,
    false as replayed
from refused_adjustments
union all
select
    tenant_id,
    md5(concat_ws('|', tenant_id, contract_id, refusal, nullif(telling, 1))) as reject_id,
    'contracts' as stream,
    refusal as reason_code,
    case refusal
        when 'residual_out_of_range' then 'what the other obligations of contract ' || contract_id || ' leave over is outside the range of its residual obligation'
        when 'no_allocation_basis' then 'contract ' || contract_id || ' has a price and no obligation with a stand-alone selling price'
        when 'repeated_obligation' then 'contract ' || contract_id || ' names an obligation twice'
        when 'modified_before_signing' then 'contract ' || contract_id || ' is modified before the day on which it was signed'
        when 'subscription_of_another_contract' then 'contract ' || contract_id || ' names a subscription that is in another contract already'
        else 'contract ' || contract_id || ' has terms that are not recognised yet: a prospective modification or financing'
    end as reason,
    cast(to_json(refused_contracts) as varchar) as payload,
    cast(null as varchar) as file,
    cast(null as bigint) as line,
    recorded_at,
    is_corrected as replayed
from refused_contracts
