-- How far the collection of what a subscription owes has come, the worst of its unpaid invoices (or of all the customer's, where the
-- ladder follows up customers): clear, grace, past_due until a step falls due, in_dunning, suspended, written_off. Access follows it.
with

policies as (

    select * from {{ ref('int_dunning__policies') }}

),

receivables as (

    select * from {{ ref('int_payments__receivables') }}
    where (open_amount > 0 or written_off_amount > 0) and not is_disputed

),

invoices as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}

),

-- What is unpaid now.
unpaid as (

    select
        receivables.tenant_id,
        receivables.invoice_id,
        receivables.written_off_amount > 0 as is_written_off,
        receivables.open_amount > 0
        and receivables.due_on < {{ local_date('policies.billing_as_of', 'invoices.timezone') }} as is_overdue,
        receivables.due_on + policies.grace_days >= {{ local_date('policies.billing_as_of', 'invoices.timezone') }} as is_in_grace
    from receivables
    inner join invoices
        on
            receivables.tenant_id = invoices.tenant_id
            and receivables.invoice_id = invoices.invoice_id
    left join {{ ref('int_dunning__segments') }} as segments
        on
            receivables.tenant_id = segments.tenant_id
            and receivables.customer_id = segments.customer_id
    inner join policies
        on
            receivables.tenant_id = policies.tenant_id
            and policies.segment = coalesce(segments.segment, '')

),

-- Episodes that last, and what has fallen due in them.
episodes as (

    select
        tenant_id,
        subject_id,
        max(episode_no) as episode_no
    from {{ ref('int_dunning__subjects') }}
    where settled_at is null
    group by tenant_id, subject_id

),

taken as (

    select
        due_steps.tenant_id,
        due_steps.subject_id,
        bool_or(due_steps.action = 'degrade') as is_degraded,
        bool_or(due_steps.action = 'suspend') as is_suspended
    from {{ ref('int_dunning__due_steps') }} as due_steps
    inner join episodes
        on
            due_steps.tenant_id = episodes.tenant_id
            and due_steps.subject_id = episodes.subject_id
            and due_steps.episode_no = episodes.episode_no
    group by due_steps.tenant_id, due_steps.subject_id

),

debtors as (

    select * from {{ ref('int_dunning__debtors') }}

),

ranked as (

    select
        debtors.tenant_id,
        debtors.subscription_id,
        case
            when unpaid.is_written_off then 5
            when taken.is_suspended then 4
            when taken.subject_id is not null then 3
            when not unpaid.is_overdue then 0
            when unpaid.is_in_grace then 1
            else 2
        end as severity,
        case
            when unpaid.is_written_off or taken.is_suspended then 2
            when taken.is_degraded then 1
            else 0
        end as limitation
    from debtors
    inner join unpaid
        on
            debtors.tenant_id = unpaid.tenant_id
            and debtors.invoice_id = unpaid.invoice_id
    left join taken
        on
            debtors.tenant_id = taken.tenant_id
            and debtors.subject_id = taken.subject_id

)

select
    tenant_id,
    subscription_id,
    list_extract(['clear', 'grace', 'past_due', 'in_dunning', 'suspended', 'written_off'], max(severity) + 1) as collection,
    list_extract(['full', 'degraded', 'blocked'], max(limitation) + 1) as service_access
from ranked
group by tenant_id, subscription_id
