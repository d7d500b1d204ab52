-- The retries of failed payments that fell due: so many days after the local day of the first failed attempt, while the invoice is open
-- and nothing holds it, not after a hard decline, and no more than the card network allows. A day on which it could not be tried is
-- not made up for.
with

policies as (

    select * from {{ ref('int_dunning__policies') }}
    where len(retry_days) > 0

),

-- A network may have several, such as one for a day and one for a month.
limits as (

    select
        tenant_id,
        lower({{ json_text('network_limit', 'network') }}) as network,
        list({
            'most': cast({{ json_text('network_limit', 'max') }} as integer),
            'days': cast({{ json_text('network_limit', 'days') }} as integer)
        }) as limits
    from (select tenant_id, unnest({{ json_elements('limits') }}) as network_limit from policies)
    group by tenant_id, lower({{ json_text('network_limit', 'network') }})

),

spans as (

    select * from {{ ref('int_dunning__open_spans') }}

),

invoices as (

    select distinct
        tenant_id,
        invoice_id,
        customer_id,
        currency,
        timezone,
        due_after,
        today
    from spans

),

-- Failed attempts, in the order in which they became known. One that names no document was for what was due first of what was open.
failures as (

    select
        payment_references.tenant_id,
        payment_references.invoice_id,
        payments.payment_id,
        payments.state_no,
        payments.recorded_at,
        coalesce(payments.attempted_at, payments.recorded_at) as attempted_at,
        payments.method,
        payments.failure_class
    from {{ ref('stg_ratehouse__payment_states') }} as payments
    inner join {{ ref('int_payments__references') }} as payment_references
        on
            payments.tenant_id = payment_references.tenant_id
            and payments.payment_id = payment_references.payment_id
    inner join spans
        on
            payment_references.tenant_id = spans.tenant_id
            and payment_references.invoice_id = spans.invoice_id
            and (
                payment_references.rule <> 'oldest_due'
                or (
                    spans.opened_at <= payments.recorded_at
                    and payments.recorded_at < coalesce(spans.closed_at, cast('9999-12-31' as timestamp with time zone))
                )
            )
    where payments.status = 'failed' and payment_references.problem is null
    qualify row_number() over (
        partition by
            payments.tenant_id, payments.payment_id, payments.state_no,
            case when payment_references.rule <> 'oldest_due' then payment_references.invoice_id end
        order by spans.due_on, payment_references.invoice_id, spans.opened_at
    ) = 1

),

firsts as (

    select
        invoices.tenant_id,
        invoices.invoice_id,
        invoices.timezone,
        invoices.due_after,
        invoices.today,
        {{ local_date('min(failures.attempted_at)', 'invoices.timezone') }} as failed_on
    from failures
    inner join invoices
        on
            failures.tenant_id = invoices.tenant_id
            and failures.invoice_id = invoices.invoice_id
    group by invoices.tenant_id, invoices.invoice_id, invoices.timezone, invoices.due_after, invoices.today

),

planned as (

    select
        firsts.*,
        unnest(policies.retry_days) as after_days,
        generate_subscripts(policies.retry_days, 1) as retry_no,
        policies.max_attempts
    from firsts
    inner join policies on firsts.tenant_id = policies.tenant_id

),

dated as (

    select
        *,
        cast(failed_on + after_days as date) as due_day,
        {{ start_of_day('failed_on + after_days', 'timezone') }} + due_after as due_at
    from planned
    where retry_no <= coalesce(max_attempts, retry_no) and failed_on + after_days <= today

),

-- What was known of the attempts when the retry fell due.
told as (

    select
        dated.tenant_id,
        dated.invoice_id,
        dated.retry_no,
        dated.due_day,
        dated.due_at,
        arg_max(failures.failure_class, (failures.attempted_at, failures.recorded_at, failures.payment_id)) as last_class,
        lower(arg_max(failures.method, (failures.attempted_at, failures.recorded_at, failures.payment_id))) as network,
        list({{ local_date('failures.attempted_at', 'dated.timezone') }} order by failures.attempted_at) as attempted_on
    from dated
    inner join failures
        on
            dated.tenant_id = failures.tenant_id
            and dated.invoice_id = failures.invoice_id
            and dated.due_at >= failures.recorded_at
    inner join spans
        on
            dated.tenant_id = spans.tenant_id
            and dated.invoice_id = spans.invoice_id
            and dated.due_day >= spans.from_day
            and dated.due_day < spans.to_day
    where not spans.is_held
    group by dated.tenant_id, dated.invoice_id, dated.retry_no, dated.due_day, dated.due_at

),

allowed as (

    select
        told.tenant_id,
        told.invoice_id,
        list({
            'retry_no': told.retry_no,
            'due_day': told.due_day,
            'limits': limits.limits,
            -- The first attempt does not count.
            'attempted_on': told.attempted_on[2:]
        } order by told.due_day, told.retry_no) as retries
    from told
    left join limits
        on
            told.tenant_id = limits.tenant_id
            and told.network = limits.network
    where coalesce(told.last_class, 'soft') <> 'hard'
    group by told.tenant_id, told.invoice_id

),

-- In order, because what is tried uses up what may be tried later. Attempts that nobody planned count as well.
taken as (

    select
        tenant_id,
        invoice_id,
        unnest(list_reduce(
            retries,
            lambda now, retry: case
                when list_bool_or(list_transform(retry.limits, lambda one: greatest(
                    len(list_filter(now, lambda earlier: earlier.due_day > retry.due_day - one.days)),
                    len(list_filter(retry.attempted_on, lambda day: day > retry.due_day - one.days))
                ) >= one.most)) then now
                else list_append(now, { 'retry_no': retry.retry_no, 'due_day': retry.due_day })
            end,
            cast([] as struct(retry_no bigint, due_day date) [])
        )) as retry
    from allowed

)

select
    taken.tenant_id,
    taken.invoice_id,
    invoices.customer_id,
    invoices.currency,
    invoices.timezone,
    invoices.due_after,
    taken.retry.retry_no,
    taken.retry.due_day
from taken
inner join invoices
    on
        taken.tenant_id = invoices.tenant_id
        and taken.invoice_id = invoices.invoice_id
