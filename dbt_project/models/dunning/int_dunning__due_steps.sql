-- The steps of the ladder that fell due: each on the first day, from its own on, on which something is owed and nothing holds it. Days
-- count from the due date; those of a later pass from the end of the one before. Of one action's steps that wait until one day, only
-- the last is taken.
with

steps as (

    select * from {{ ref('int_dunning__steps') }}

),

policies as (

    select * from {{ ref('int_dunning__policies') }}

),

subjects as (

    select * from {{ ref('int_dunning__subjects') }}

),

spans as (

    select
        tenant_id,
        subject_id,
        episode_no,
        any_value(invoice_id) as invoice_id,
        any_value(customer_id) as customer_id,
        any_value(currency) as currency,
        any_value(timezone) as timezone,
        any_value(segment) as segment,
        any_value(due_after) as due_after,
        list({ 'from_day': from_day, 'to_day': least(to_day, cast(today + 1 as date)), 'due_on': due_on } order by from_day) as spans
    from subjects
    where is_actionable and from_day <= today
    group by tenant_id, subject_id, episode_no

),

ladders as (

    select
        steps.tenant_id,
        steps.segment,
        list({
            'pass_no': steps.pass_no,
            'step_no': steps.step_no,
            'days_after_due': policies.grace_days + steps.after_days,
            'days_into_pass': steps.days_into_pass,
            'days_after_pass': coalesce(policies.days_between, 0) + 1,
            'begins_pass': steps.step_no = 1 and steps.pass_no > 1
        } order by steps.pass_no, steps.step_no) as ladder
    from steps
    inner join policies
        on
            steps.tenant_id = policies.tenant_id
            and steps.segment = policies.segment
    group by steps.tenant_id, steps.segment

),

-- What the fold reads of its row is in its state and its steps: see `docs/naming.md` on columns in a fold.
folded as (

    select
        spans.tenant_id,
        spans.subject_id,
        spans.episode_no,
        unnest(list_reduce(
            ladders.ladder,
            lambda now, step: list_transform(
                -- A pass starts so many whole days after the last one ended.
                [case when step.begins_pass then now.reached + step.days_after_pass else now.pass_on end],
                lambda pass_on: list_transform(
                    [list_min(list_transform(
                        list_filter(
                            now.spans,
                            lambda span: greatest(
                                span.from_day,
                                case when step.pass_no = 1 then cast(span.due_on + step.days_after_due as date) else cast(pass_on + step.days_into_pass as date) end
                            ) < span.to_day
                            and (step.pass_no = 1 or pass_on is not null)
                        ),
                        lambda span: greatest(
                            span.from_day,
                            case when step.pass_no = 1 then cast(span.due_on + step.days_after_due as date) else cast(pass_on + step.days_into_pass as date) end
                        )
                    ))],
                    lambda day: {
                        'spans': now.spans,
                        'pass_on': cast(pass_on as date),
                        'reached': day,
                        'log': list_append(now.log, { 'pass_no': step.pass_no, 'step_no': step.step_no, 'day': day })
                    }
                )[1]
            )[1],
            {
                'spans': spans.spans,
                'pass_on': cast(null as date),
                'reached': cast(null as date),
                'log': cast([] as struct(pass_no bigint, step_no bigint, day date) [])
            }
        ).log) as taken
    from spans
    inner join ladders
        on
            spans.tenant_id = ladders.tenant_id
            and spans.segment = ladders.segment

),

actions as (

    select
        folded.tenant_id,
        folded.subject_id,
        folded.episode_no,
        spans.invoice_id,
        spans.customer_id,
        spans.currency,
        spans.timezone,
        spans.due_after,
        folded.taken.pass_no,
        folded.taken.step_no,
        folded.taken.day as due_day,
        steps.billing,
        unnest(steps.actions) as action
    from folded
    inner join spans
        on
            folded.tenant_id = spans.tenant_id
            and folded.subject_id = spans.subject_id
            and folded.episode_no = spans.episode_no
    inner join steps
        on
            folded.tenant_id = steps.tenant_id
            and spans.segment = steps.segment
            and folded.taken.pass_no = steps.pass_no
            and folded.taken.step_no = steps.step_no
    where folded.taken.day is not null

)

select *
from actions
qualify row_number() over (
    partition by tenant_id, subject_id, episode_no, pass_no, action, due_day order by step_no desc
) = 1
