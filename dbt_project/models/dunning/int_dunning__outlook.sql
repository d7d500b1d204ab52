-- What lies ahead if nothing is paid: the steps of the ladder and the retries whose day has not come. Only the first time a ladder is gone
-- through, since a later one begins where the one before it ends.
with

policies as (

    select * from {{ ref('int_dunning__policies') }}

),

-- What is followed up today.
subjects as (

    select *
    from {{ ref('int_dunning__subjects') }}
    where from_day <= today and to_day > today and settled_at is null

),

steps as (

    select
        subjects.tenant_id,
        subjects.invoice_id,
        subjects.customer_id,
        subjects.currency,
        subjects.owed_amount as amount,
        subjects.is_held,
        steps.step_no as step,
        unnest(steps.actions) as action,
        cast(subjects.due_on + policies.grace_days + steps.after_days as date) as due_on,
        {{ start_of_day('subjects.due_on + policies.grace_days + steps.after_days', 'subjects.timezone') }} + subjects.due_after as due_at,
        subjects.today
    from subjects
    inner join policies
        on
            subjects.tenant_id = policies.tenant_id
            and subjects.segment = policies.segment
    inner join {{ ref('int_dunning__steps') }} as steps
        on
            subjects.tenant_id = steps.tenant_id
            and subjects.segment = steps.segment
            and steps.pass_no = 1
    where subjects.owed_amount > 0

),

last_failures as (

    select
        tenant_id,
        invoice_id,
        max_by(failure_class, attempted_at) as failure_class
    from {{ ref('int_dunning__attempts') }}
    where status = 'failed'
    group by tenant_id, invoice_id

),

retries as (

    select
        retry_days.tenant_id,
        retry_days.invoice_id,
        spans.customer_id,
        spans.currency,
        spans.owed_amount as amount,
        spans.is_held,
        retry_days.retry_no as step,
        'retry' as action,
        retry_days.due_day as due_on,
        retry_days.due_at,
        retry_days.today
    from {{ ref('int_dunning__retry_days') }} as retry_days
    inner join {{ ref('int_dunning__open_spans') }} as spans
        on
            retry_days.tenant_id = spans.tenant_id
            and retry_days.invoice_id = spans.invoice_id
            and spans.from_day <= retry_days.today
            and spans.to_day > retry_days.today
            and spans.settled_at is null
    inner join last_failures
        on
            retry_days.tenant_id = last_failures.tenant_id
            and retry_days.invoice_id = last_failures.invoice_id
    where spans.owed_amount > 0 and coalesce(last_failures.failure_class, '') <> 'hard'

),

planned as (

    select * from steps
    union all by name
    select * from retries

)

select *
from planned
where due_on > today
