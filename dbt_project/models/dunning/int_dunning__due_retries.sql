-- The retries of failed payments that fell due: while the invoice is open and nothing holds it, not after a hard decline, and no more than
-- the card network allows. A day on which it could not be tried is not made up for.
with

limits as (

    select * from {{ ref('int_dunning__network_limits') }}

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
        timezone
    from spans

),

failures as (

    select * from {{ ref('int_dunning__attempts') }}
    where status = 'failed'

),

dated as (

    select * from {{ ref('int_dunning__retry_days') }}
    where due_day <= today

),

-- What was known of the attempts when the retry fell due.
told as (

    select
        dated.tenant_id,
        dated.invoice_id,
        dated.retry_no,
        dated.due_day,
        dated.due_at,
        dated.segment,
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
            and dated.due_at >= spans.opened_at
            and dated.due_at < coalesce(spans.closed_at, cast('9999-12-31' as timestamp with time zone))
    where not spans.is_held
    group by dated.tenant_id, dated.invoice_id, dated.retry_no, dated.due_day, dated.due_at, dated.segment

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
            and told.segment = limits.segment
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
                when {{ is_exhausted('retry.limits', 'retry.due_day', 'list_transform(now, lambda taken: taken.due_day)', 'retry.attempted_on') }} then now
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
    taken.retry.retry_no,
    taken.retry.due_day,
    dated.due_at,
    dated.recovery_probability
from taken
inner join invoices
    on
        taken.tenant_id = invoices.tenant_id
        and taken.invoice_id = invoices.invoice_id
inner join dated
    on
        taken.tenant_id = dated.tenant_id
        and taken.invoice_id = dated.invoice_id
        and taken.retry.retry_no = dated.retry_no
