-- What was open of each invoice over time, in days of dunning: what holds when a day's actions are due is that day's state. An episode
-- lasts from when something is owed until nothing is.
with

invoices as (

    select
        invoices.*,
        policies.segment,
        policies.due_after,
        {{ local_date('policies.billing_as_of', 'invoices.timezone') }} as today
    from {{ ref('stg_ratehouse__issued_invoices') }} as invoices
    left join {{ ref('int_dunning__segments') }} as segments
        on
            invoices.tenant_id = segments.tenant_id
            and invoices.customer_id = segments.customer_id
    inner join {{ ref('int_dunning__policies') }} as policies
        on
            invoices.tenant_id = policies.tenant_id
            and policies.segment = coalesce(segments.segment, '')
    where invoices.kind = 'invoice'

),

changes as (

    select
        tenant_id,
        invoice_id,
        moved_at as changed_at,
        opens,
        0 as holds,
        0 as disputes
    from {{ ref('int_payments__postings') }}
    where opens <> 0
    union all
    select
        tenant_id,
        invoice_id,
        held_from as changed_at,
        0 as opens,
        case when is_disputed then 0 else 1 end as holds,
        case when is_disputed then 1 else 0 end as disputes
    from {{ ref('int_dunning__holds') }}
    union all
    select
        tenant_id,
        invoice_id,
        held_until as changed_at,
        0 as opens,
        case when is_disputed then 0 else -1 end as holds,
        case when is_disputed then -1 else 0 end as disputes
    from {{ ref('int_dunning__holds') }}
    where held_until is not null

),

summed as (

    select
        tenant_id,
        invoice_id,
        changed_at,
        sum(opens) as opens,
        sum(holds) as holds,
        sum(disputes) as disputes
    from changes
    group by tenant_id, invoice_id, changed_at

),

states as (

    select
        summed.tenant_id,
        summed.invoice_id,
        invoices.customer_id,
        invoices.currency,
        invoices.timezone,
        invoices.due_on,
        invoices.segment,
        invoices.due_after,
        invoices.today,
        summed.changed_at,
        sum(summed.opens) over history as open_amount,
        sum(summed.holds) over history > 0 as is_held,
        sum(summed.disputes) over history > 0 as is_disputed,
        lead(summed.changed_at) over history as next_changed_at
    from summed
    inner join invoices
        on
            summed.tenant_id = invoices.tenant_id
            and summed.invoice_id = invoices.invoice_id
    window history as (partition by summed.tenant_id, summed.invoice_id order by summed.changed_at)

),

owed as (

    select
        *,
        case when is_disputed then 0 else open_amount end as owed_amount
    from states

),

started as (

    select
        *,
        owed_amount > 0 and coalesce(lag(owed_amount) over history, 0) = 0 as is_start,
        case when lead(owed_amount) over history = 0 then next_changed_at end as settled_at
    from owed
    window history as (partition by tenant_id, invoice_id order by changed_at)

),

numbered as (

    select
        *,
        sum(case when is_start then 1 else 0 end) over (partition by tenant_id, invoice_id order by changed_at) as episode_no
    from started

)

select
    tenant_id,
    invoice_id,
    customer_id,
    currency,
    timezone,
    due_on,
    segment,
    due_after,
    today,
    episode_no,
    is_held,
    cast(owed_amount as decimal(20, 4)) as owed_amount,
    changed_at as opened_at,
    next_changed_at as closed_at,
    -- The instant at which what was owed in this episode was settled.
    max(settled_at) over (partition by tenant_id, invoice_id, episode_no) as settled_at,
    -- The first day whose actions are due at or after the change.
    cast({{ local_date('changed_at - due_after - interval 1 microsecond', 'timezone') }} + 1 as date) as from_day,
    coalesce(
        cast({{ local_date('next_changed_at - due_after - interval 1 microsecond', 'timezone') }} + 1 as date),
        date '9999-12-31'
    ) as to_day
from numbered
where owed_amount > 0
