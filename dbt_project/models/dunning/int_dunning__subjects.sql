-- Who is followed up, and over which spans of days it may be: an invoice, or all that a customer owes in a currency. Days count from
-- the due date of the invoice, or from that of the oldest overdue one.
with

policies as (

    select * from {{ ref('int_dunning__policies') }}

),

spans as (

    select
        spans.*,
        policies.scope,
        policies.thresholds
    from {{ ref('int_dunning__open_spans') }} as spans
    inner join policies
        on
            spans.tenant_id = policies.tenant_id
            and spans.segment = policies.segment

),

overdue as (

    select
        * replace (greatest(from_day, due_on + 1) as from_day)
    from spans
    where scope = 'customer' and to_day > greatest(from_day, due_on + 1)

),

-- Days on which what a customer owes may change.
cuts as (

    select
        tenant_id,
        customer_id,
        currency,
        day as from_day,
        lead(day) over (partition by tenant_id, customer_id, currency order by day) as to_day
    from (
        select tenant_id, customer_id, currency, from_day as day from overdue
        union
        select tenant_id, customer_id, currency, to_day as day from overdue
    )

),

of_customers as (

    select
        cuts.tenant_id,
        cuts.customer_id,
        cuts.currency,
        cuts.from_day,
        cuts.to_day,
        any_value(overdue.timezone) as timezone,
        any_value(overdue.segment) as segment,
        any_value(overdue.due_after) as due_after,
        any_value(overdue.today) as today,
        any_value(overdue.thresholds) as thresholds,
        min(overdue.due_on) as due_on,
        cast(coalesce(sum(overdue.owed_amount) filter (where not overdue.is_held), 0) as decimal(20, 4)) as owed_amount,
        max(overdue.settled_at) as settled_at
    from cuts
    inner join overdue
        on
            cuts.tenant_id = overdue.tenant_id
            and cuts.customer_id = overdue.customer_id
            and cuts.currency = overdue.currency
            and cuts.from_day >= overdue.from_day
            and cuts.to_day <= overdue.to_day
    where cuts.to_day is not null
    group by cuts.tenant_id, cuts.customer_id, cuts.currency, cuts.from_day, cuts.to_day

),

-- An episode of a customer ends where nothing is overdue.
episodes as (

    select
        *,
        sum(case when from_day = last_to_day then 0 else 1 end) over (
            partition by tenant_id, customer_id, currency order by from_day
        ) as episode_no
    from (
        select
            *,
            lag(to_day) over (partition by tenant_id, customer_id, currency order by from_day) as last_to_day
        from of_customers
    )

),

subjects as (

    select
        tenant_id,
        invoice_id as subject_id,
        invoice_id,
        customer_id,
        currency,
        timezone,
        segment,
        due_after,
        today,
        episode_no,
        due_on,
        from_day,
        to_day,
        settled_at,
        owed_amount,
        is_held,
        thresholds
    from spans
    where scope = 'invoice' and from_day < to_day
    union all by name
    select
        tenant_id,
        concat_ws(':', customer_id, currency) as subject_id,
        customer_id,
        currency,
        timezone,
        segment,
        due_after,
        today,
        episode_no,
        due_on,
        from_day,
        to_day,
        -- What settles the last of it.
        case when lead(episode_no) over episode is null then settled_at end as settled_at,
        owed_amount,
        owed_amount = 0 as is_held,
        thresholds
    from episodes
    window episode as (partition by tenant_id, customer_id, currency, episode_no order by from_day)

)

select
    * exclude (thresholds),
    not is_held
    and owed_amount >= coalesce(cast({{ json_text_at('thresholds', 'currency') }} as decimal(20, 4)), 0) as is_actionable
from subjects
