-- The times at which the next retry of an invoice may be tried, where a model may choose and has not: from the fixed time to before the
-- next retry's day, at the start of a day (or the end of its quiet hours) and at noon. Only the first two retries are planned: with each
-- further one, what must be seen to judge the choice multiplies. None after a hard decline, none while something holds the invoice, none
-- on a day on which the card network's limits leave no attempt.
with

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

policies as (

    select * from {{ ref('int_dunning__policies') }}

),

retry_days as (

    select
        *,
        lag(due_at) over (partition by tenant_id, invoice_id order by retry_no) as previous_due_at
    from {{ ref('int_dunning__retry_days') }}
    where is_planned

),

-- What is open now and not held.
open_now as (

    select * from {{ ref('int_dunning__open_spans') }}
    where closed_at is null and not is_held

),

-- The last failure; what follows the retry before is the state the next is planned in.
states as (

    select * from {{ ref('int_dunning__recovery_states') }}
    where next_known_at is null and coalesce(failure_class, 'soft') <> 'hard'

),

planned as (

    select
        tenant_id,
        invoice_id,
        retry_no
    from {{ ref('stg_ratehouse__retry_plans') }}

),

next_retries as (

    select
        retry_days.*,
        states.customer_id,
        states.currency,
        states.failed_at,
        open_now.owed_amount
    from retry_days
    inner join clocks on retry_days.tenant_id = clocks.tenant_id
    inner join states
        on
            retry_days.tenant_id = states.tenant_id
            and retry_days.invoice_id = states.invoice_id
            and states.failed_at >= coalesce(retry_days.previous_due_at, states.failed_at)
    inner join open_now
        on
            retry_days.tenant_id = open_now.tenant_id
            and retry_days.invoice_id = open_now.invoice_id
    where retry_days.fixed_at > clocks.known_as_of
    qualify retry_days.retry_no = min(retry_days.retry_no) over (partition by retry_days.tenant_id, retry_days.invoice_id)

),

-- A plan that is too late for its own retry moves nothing, and is not made again.
unplanned as (

    select next_retries.*
    from next_retries
    left join planned
        on
            next_retries.tenant_id = planned.tenant_id
            and next_retries.invoice_id = planned.invoice_id
            and next_retries.retry_no = planned.retry_no
    where next_retries.retry_no <= 2 and planned.retry_no is null

),

days as (

    select
        unplanned.*,
        policies.is_quiet_at_noon,
        unnest(range(0, date_diff('day', unplanned.fixed_on, unplanned.next_fixed_on))) as days_later
    from unplanned
    inner join policies
        on
            unplanned.tenant_id = policies.tenant_id
            and unplanned.segment = policies.segment

),

times as (

    select
        * exclude (is_quiet_at_noon),
        cast(fixed_on + cast(days_later as integer) as date) as slot_on,
        {{ start_of_day('fixed_on + cast(days_later as integer)', 'timezone') }} + due_after as retry_at
    from days
    union all
    select
        * exclude (is_quiet_at_noon),
        cast(fixed_on + cast(days_later as integer) as date) as slot_on,
        timezone(timezone, cast(fixed_on + cast(days_later as integer) as timestamp) + interval 12 hours) as retry_at
    from days
    where not is_quiet_at_noon and due_after < interval 12 hours

),

-- What used up the network's limits: what fell due, and what was tried after the first attempt.
attempted as (

    select
        attempts.tenant_id,
        attempts.invoice_id,
        list({{ local_date('attempts.attempted_at', 'open_now.timezone') }} order by attempts.attempted_at)[2:] as days
    from {{ ref('int_dunning__attempts') }} as attempts
    inner join open_now
        on
            attempts.tenant_id = open_now.tenant_id
            and attempts.invoice_id = open_now.invoice_id
    where attempts.status = 'failed'
    group by attempts.tenant_id, attempts.invoice_id

),

fell_due as (

    select
        tenant_id,
        invoice_id,
        list(due_day order by due_day) as days
    from {{ ref('int_dunning__due_retries') }}
    group by tenant_id, invoice_id

),

allowed as (

    select
        times.*,
        -- Where the fixed time itself is not allowed, there is no choice to make.
        bool_or(times.retry_at = times.fixed_at) over (partition by times.tenant_id, times.invoice_id) as has_fixed
    from times
    inner join states
        on
            times.tenant_id = states.tenant_id
            and times.invoice_id = states.invoice_id
    inner join attempted
        on
            times.tenant_id = attempted.tenant_id
            and times.invoice_id = attempted.invoice_id
    left join fell_due
        on
            times.tenant_id = fell_due.tenant_id
            and times.invoice_id = fell_due.invoice_id
    left join {{ ref('int_dunning__network_limits') }} as limits
        on
            states.tenant_id = limits.tenant_id
            and times.segment = limits.segment
            and states.method = limits.network
    where not {{ is_exhausted('limits.limits', 'times.slot_on', 'coalesce(fell_due.days, [])', 'attempted.days') }}

)

select
    allowed.tenant_id,
    allowed.invoice_id,
    allowed.retry_no,
    row_number() over (partition by allowed.tenant_id, allowed.invoice_id order by allowed.retry_at) as slot_no,
    allowed.customer_id,
    allowed.currency,
    allowed.retry_at,
    allowed.owed_amount as open_amount,
    cast(coalesce(cast({{ json_text_at('policies.retry_costs', 'allowed.currency') }} as decimal(20, 4)), 0) as decimal(20, 4)) as retry_cost,
    cast(policies.random_percent * 0.01 as decimal(28, 12)) as random_share,
    cast(policies.fixed_percent * 0.01 as decimal(28, 12)) as fixed_share,
    states.failure_class,
    states.failure_code,
    states.method,
    states.failures,
    states.hours_since_first_failure,
    states.amount,
    states.customer_days_known,
    states.customer_payments,
    states.customer_failures,
    states.method_attempts,
    states.method_successes,
    {{ slot_features('allowed.retry_at', 'states.failed_at', 'allowed.timezone') }}
from allowed
inner join states
    on
        allowed.tenant_id = states.tenant_id
        and allowed.invoice_id = states.invoice_id
inner join policies
    on
        allowed.tenant_id = policies.tenant_id
        and allowed.segment = policies.segment
where allowed.has_fixed
