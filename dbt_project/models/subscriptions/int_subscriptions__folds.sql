-- The state machine of a subscription: its events folded in order, each met by the state it finds. One row per event (and one
-- for the end of a fixed term): accepted or not and why, from which local day it holds, and the billing cycle it starts, if it
-- starts one. States and guards: none → active ⇄ paused → ended → active; a wish for later may be replaced or taken back.
-- depends_on: {{ ref('int_subscriptions__changed_lives') }}
{{ config(materialized='by_subscription', changes='lives') }}
with

asked as (

    select
        events.*,
        coalesce(lowerings.is_lower, false) as is_lower,
        coalesce(lowerings.waits_for_period_end, false) as waits_for_period_end
    from {{ ref('int_subscriptions__events') }} as events
    left join {{ ref('int_subscriptions__lowerings') }} as lowerings
        on
            events.tenant_id = lowerings.tenant_id
            and events.subscription_id = lowerings.subscription_id
            and events.event_order = lowerings.event_order

),

events as (

    select
        tenant_id,
        subscription_id,
        -- In order of `no`.
        list_sort(list({
            'no': event_order,
            'type': type,
            'on_day': effective_on,
            'recorded_at': recorded_at,
            'problem': problem,
            'is_at_period_end': is_at_period_end or waits_for_period_end,
            'is_lower': is_lower,
            'billing': billing,
            'billing_ends': billing_ends,
            'months': cast(months as integer),
            'days': cast(days as integer),
            'is_calendar': is_calendar,
            'anchor_day': anchor_day,
            'keep_anchor': keep_anchor,
            'trial_days': trial_days,
            'until_on': until_on,
            'term_months': term_months,
            'notice_days': notice_days,
            'locks_downgrades': locks_downgrades,
            'term_ends_on': case when ends_with_term then cast({{ period_boundary('effective_on', 'day(effective_on)', 'term_months', 'null', '1') }} as date) end
        })) as events
    from asked
    group by tenant_id, subscription_id

),

folded as (

    select
        tenant_id,
        subscription_id,
        list_reduce(
            events,
            lambda before, event: list_transform(
                list_transform(
                    -- 1. What was to happen by now has happened.
                    [{
                        'status': case when least(before.ends_on, before.term_ends_on) <= event.on_day and before.status in ('active', 'paused') then 'ended' else before.status end,
                        'anchor_on': case when before.change_on <= event.on_day then before.next_anchor_on else before.anchor_on end,
                        'anchor_day': case when before.change_on <= event.on_day then before.next_anchor_day else before.anchor_day end,
                        'months': case when before.change_on <= event.on_day then before.next_months else before.months end,
                        'days': case when before.change_on <= event.on_day then before.next_days else before.days end,
                        'change_no': case when before.change_on <= event.on_day then null else before.change_no end,
                        'change_on': case when before.change_on <= event.on_day then null else before.change_on end
                    }],
                    -- 2. From when would the event hold, and is it allowed here?
                    lambda now: list_transform(
                        [struct_insert(
                            now,
                            in_trial := coalesce(event.on_day < before.trial_end, false),
                            same_interval := event.months is not distinct from now.months and event.days is not distinct from now.days,
                            holds_from := case
                                when event.type = 'created' then event.on_day
                                when event.is_at_period_end or event.billing_ends = 'end_of_term' then
                                    case
                                        when event.on_day < before.trial_end then before.trial_end
                                        else {{ boundary_after('event.on_day', 'now.anchor_on', 'now.anchor_day', 'now.months', 'now.days') }}
                                    end
                                when event.billing_ends = 'start_of_term'
                                    then greatest(
                                        {{ boundary_before('event.on_day', 'now.anchor_on', 'now.anchor_day', 'now.months', 'now.days') }},
                                        before.cycle_from
                                    )
                                else event.on_day
                            end
                        )],
                        lambda asked: struct_insert(
                            asked,
                            verdict := case
                                when event.problem is not null then event.problem
                                when case event.type
                                    when 'created' then asked.status = 'none'
                                    when 'reactivated' then asked.status = 'ended'
                                    when 'resumed' then asked.status = 'paused'
                                    when 'paused' then asked.status = 'active'
                                    when 'cancel_undone' then asked.status in ('active', 'paused') and before.ends_on is not null
                                    when 'trial_extended' then asked.status = 'active' and before.trial_end > event.on_day and event.until_on >= event.on_day
                                    else
                                        asked.status in ('active', 'paused')
                                        -- Terms that are locked go down when their term is over, not before.
                                        and case
                                            when event.is_lower and before.locks_downgrades
                                                then asked.holds_from >= {{ boundary_after('event.on_day', 'before.started_on', 'day(before.started_on)', 'before.term_months', 'null') }}
                                            else true
                                        end
                                end then 'accepted'
                                -- A fact told later that makes it impossible does not make it wrong.
                                when before.told_at > event.recorded_at then 'ignored'
                                else 'forbidden_transition'
                            end
                        )
                    )[1]
                ),
                -- 3. The state it leaves, and the entry it writes.
                lambda now: case
                    when now.verdict <> 'accepted' then {
                        {{ fold_state('before', 'now') }},
                        'log': list_append(before.log, {{ fold_entry('event.no', 'now.verdict') }})
                    }
                    when event.type in ('created', 'reactivated') then list_transform(
                        [case when event.type = 'created' and event.trial_days > 0 then event.on_day + event.trial_days else event.on_day end],
                        lambda first_day: {
                            {{ fold_state('before', 'now', {
                                'status': "case when event.billing = 'stop' then 'paused' else 'active' end",
                                'told_at': 'event.recorded_at',
                                'started_on': "case when event.type = 'created' then event.on_day else before.started_on end",
                                'trial_end': "case when event.type = 'created' then first_day else least(before.trial_end, first_day) end",
                                'given_anchor_day': 'coalesce(event.anchor_day, before.given_anchor_day)',
                                'is_calendar': "case when event.type = 'created' then event.is_calendar else before.is_calendar end",
                                'months': 'coalesce(event.months, now.months)',
                                'days': 'coalesce(event.days, now.days)',
                                'anchor_on': anchor_of('first_day', "case when event.type = 'created' then event.is_calendar else before.is_calendar end", 'coalesce(event.months, now.months)', 'coalesce(event.days, now.days)'),
                                'anchor_day': "case when case when event.type = 'created' then event.is_calendar else before.is_calendar end then 1 else coalesce(event.anchor_day, day(first_day)) end",
                                'cycle_from': 'first_day',
                                'ends_on': 'null',
                                'ends_no': 'null',
                                'term_months': 'event.term_months',
                                'term_ends_on': 'event.term_ends_on',
                                'notice_days': 'event.notice_days',
                                'locks_downgrades': "event.type = 'created' and event.locks_downgrades",
                                'change_no': 'null',
                                'change_on': 'null'
                            }) }},
                            'log': list_append(before.log, {{ fold_entry(
                                'event.no', "'accepted'", 'event.on_day', 'first_day', 'false',
                                anchor_of('first_day', "case when event.type = 'created' then event.is_calendar else before.is_calendar end", 'coalesce(event.months, now.months)', 'coalesce(event.days, now.days)'),
                                "case when case when event.type = 'created' then event.is_calendar else before.is_calendar end then 1 else coalesce(event.anchor_day, day(first_day)) end",
                                'coalesce(event.months, now.months)', 'coalesce(event.days, now.days)',
                                "case when event.type = 'created' then first_day else least(before.trial_end, first_day) end", 'event.term_ends_on'
                            ) }})
                        }
                    )[1]
                    -- The term binds to its end; one that renews itself to the next, where notice came too late.
                    when event.type = 'cancelled' then list_transform(
                        [coalesce(before.term_ends_on, {{ boundary_after('event.on_day', 'before.started_on', 'day(before.started_on)', 'before.term_months', 'null') }})],
                        lambda term_end: {
                            {{ fold_state('before', 'now', {'ends_on': 'now.holds_from', 'ends_no': 'event.no', 'told_at': 'event.recorded_at'}) }},
                            'log': list_append(
                                case when before.ends_no is null then before.log else list_append(before.log, {{ fold_entry('before.ends_no', "'superseded'") }}) end,
                                {{ fold_entry('event.no', "'accepted'", 'now.holds_from', term_ends_on="case
                                    when before.term_ends_on is null and event.on_day + before.notice_days > term_end
                                        then " ~ boundary_after('term_end', 'before.started_on', 'day(before.started_on)', 'before.term_months', 'null') ~ "
                                    else term_end
                                end") }}
                            )
                        }
                    )[1]
                    when event.type = 'cancel_undone' then {
                        {{ fold_state('before', 'now', {'ends_on': 'null', 'ends_no': 'null', 'told_at': 'event.recorded_at'}) }},
                        'log': list_append(
                            list_append(before.log, {{ fold_entry('before.ends_no', "'superseded'") }}),
                            {{ fold_entry('event.no', "'accepted'", 'event.on_day') }}
                        )
                    }
                    when event.type in ('paused', 'resumed') then {
                        {{ fold_state('before', 'now', {'status': "case event.type when 'paused' then 'paused' else 'active' end", 'told_at': 'event.recorded_at'}) }},
                        'log': list_append(before.log, {{ fold_entry('event.no', "'accepted'", 'event.on_day') }})
                    }
                    -- A fixed term goes on for another.
                    when event.type = 'renewed' and before.term_ends_on is not null then list_transform(
                        [{{ boundary_after('before.term_ends_on', 'before.started_on', 'day(before.started_on)', 'before.term_months', 'null') }}],
                        lambda term_ends_on: {
                            {{ fold_state('before', 'now', {'term_ends_on': 'term_ends_on'}) }},
                            'log': list_append(before.log, {{ fold_entry('event.no', "'accepted'", 'event.on_day', term_ends_on='term_ends_on') }})
                        }
                    )[1]
                    -- The first billed day moves, or what is billed from it: the cycle is laid anew.
                    when now.in_trial and event.type in ('plan_changed', 'anchor_changed', 'trial_extended') then list_transform(
                        [{
                            'trial_end': case
                                when event.type = 'trial_extended' then event.until_on
                                when event.trial_days > 0 then before.started_on + event.trial_days
                                else before.trial_end
                            end,
                            'is_calendar': case event.type when 'plan_changed' then event.is_calendar when 'anchor_changed' then false else before.is_calendar end,
                            'months': case when event.type = 'plan_changed' then event.months else now.months end,
                            'days': case when event.type = 'plan_changed' then event.days else now.days end,
                            'given_anchor_day': case when event.type = 'anchor_changed' then event.anchor_day else before.given_anchor_day end
                        }],
                        lambda next: {
                            {{ fold_state('before', 'now', {
                                'trial_end': 'next.trial_end',
                                'is_calendar': 'next.is_calendar',
                                'months': 'next.months',
                                'days': 'next.days',
                                'given_anchor_day': 'next.given_anchor_day',
                                'anchor_on': anchor_of('next.trial_end', 'next.is_calendar', 'next.months', 'next.days'),
                                'anchor_day': 'case when next.is_calendar then 1 else coalesce(next.given_anchor_day, day(next.trial_end)) end',
                                'cycle_from': 'next.trial_end'
                            }) }},
                            'log': list_append(before.log, {{ fold_entry(
                                'event.no', "'accepted'", 'event.on_day', 'next.trial_end', 'true',
                                anchor_of('next.trial_end', 'next.is_calendar', 'next.months', 'next.days'),
                                'case when next.is_calendar then 1 else coalesce(next.given_anchor_day, day(next.trial_end)) end',
                                'next.months', 'next.days', 'next.trial_end'
                            ) }})
                        }
                    )[1]
                    when event.type = 'anchor_changed' then {
                        {{ fold_state('before', 'now', {
                            'is_calendar': 'false',
                            'given_anchor_day': 'event.anchor_day',
                            'anchor_on': 'event.on_day',
                            'anchor_day': 'event.anchor_day',
                            'cycle_from': 'event.on_day'
                        }) }},
                        'log': list_append(before.log, {{ fold_entry('event.no', "'accepted'", 'event.on_day', 'event.on_day', 'false', 'event.on_day', 'event.anchor_day', 'now.months', 'now.days', 'before.trial_end') }})
                    }
                    when event.type = 'plan_changed' then list_transform(
                        [{
                            'keeps': coalesce(event.keep_anchor, now.same_interval),
                            'log': case when now.change_no is null then before.log else list_append(before.log, {{ fold_entry('now.change_no', "'superseded'") }}) end
                        }],
                        lambda next: list_transform(
                            [{
                                'anchor_on': case when next.keeps then now.anchor_on else {{ anchor_of('now.holds_from', 'event.is_calendar', 'event.months', 'event.days') }} end,
                                'anchor_day': case when next.keeps then now.anchor_day when event.is_calendar then 1 else day(now.holds_from) end,
                                'starts_cycle': not (next.keeps and now.same_interval),
                                'is_later': now.holds_from > event.on_day
                            }],
                            lambda cycle: {
                                {{ fold_state('before', 'now', {
                                    'is_calendar': 'event.is_calendar',
                                    'anchor_on': 'case when cycle.is_later then now.anchor_on else cycle.anchor_on end',
                                    'anchor_day': 'case when cycle.is_later then now.anchor_day else cycle.anchor_day end',
                                    'months': 'case when cycle.is_later then now.months else event.months end',
                                    'days': 'case when cycle.is_later then now.days else event.days end',
                                    'cycle_from': 'case when cycle.starts_cycle and not cycle.is_later then now.holds_from else before.cycle_from end',
                                    'change_no': 'case when cycle.is_later then event.no end',
                                    'change_on': 'case when cycle.is_later then now.holds_from end',
                                    'next_anchor_on': 'cycle.anchor_on',
                                    'next_anchor_day': 'cycle.anchor_day',
                                    'next_months': 'event.months',
                                    'next_days': 'event.days'
                                }) }},
                                'log': list_append(next.log, {{ fold_entry(
                                    'event.no', "'accepted'", 'now.holds_from',
                                    'case when cycle.starts_cycle then now.holds_from end', 'false',
                                    'cycle.anchor_on', 'cycle.anchor_day', 'event.months', 'event.days', 'before.trial_end'
                                ) }})
                            }
                        )[1]
                    )[1]
                    else {
                        {{ fold_state('before', 'now') }},
                        'log': list_append(before.log, {{ fold_entry('event.no', "'accepted'", 'now.holds_from') }})
                    }
                end
            )[1],
            {{ fold_start() }}
        ) as outcome
    from events

),

entries as (

    select
        tenant_id,
        subscription_id,
        generate_subscripts(outcome.log, 1) as position,
        unnest(outcome.log) as entry
    from folded

)

-- The last word on each event.
select
    tenant_id,
    subscription_id,
    entry.no as event_order,
    entry.verdict,
    entry.effective_on,
    entry.cycle_from,
    entry.voids_earlier,
    entry.anchor_on,
    entry.anchor_day,
    entry.months,
    entry.days,
    entry.trial_end,
    entry.term_ends_on
from entries
qualify row_number() over (partition by tenant_id, subscription_id, entry.no order by position desc) = 1
