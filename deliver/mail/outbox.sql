-- The outbox: every message with its state, a fold over the facts in `deliveries`. One row per message.
with

queued as (

    select * from deliveries
    where event = 'queued'

),

-- A claim is the right to hand a message over once. It is open until somebody says what became of it.
claims as (

    select
        tenant_id,
        delivery_id,
        attempt as claim,
        bool_or(event in ('sent', 'received')) as arrived,
        bool_or(event in ('refused', 'not_received')) as turned_down,
        bool_or(event = 'retried') as reopened
    from deliveries
    where attempt > 0 and event in ('claimed', 'sent', 'received', 'refused', 'not_received', 'retried')
    group by all
    having bool_or(event = 'claimed')

),

claimed as (

    select
        tenant_id,
        delivery_id,
        max(claim) as claim,
        bool_or(arrived and not reopened) as arrived,
        bool_or(not arrived and not turned_down and not reopened) as is_open
    from claims
    group by all

),

-- What was said last about a message, and how often it was tried since a person last asked for it.
history as (

    select
        tenant_id,
        delivery_id,
        max_by(struct_pack(event, code, detail, next_attempt_at), (event <> 'queued', occurred_at, event))
            filter (event <> 'claimed') as last_said,
        max(occurred_at) as last_at,
        count(*) filter (event in ('deferred', 'failed', 'claimed') and is_current) as tries,
        count(*) filter (event in ('deferred', 'failed')) as undelivered,
        count(*) filter (event = 'retried') as retries
    from (
        select
            *,
            occurred_at >= coalesce(
                max(occurred_at) filter (event = 'retried') over (partition by tenant_id, delivery_id), occurred_at
            ) as is_current
        from deliveries
    )
    group by all

)

select
    queued.tenant_id,
    queued.delivery_id,
    case
        when claimed.is_open then 'unknown'
        when history.last_said.event = 'bounced' then 'bounced'
        when claimed.arrived then 'sent'
        when history.last_said.event <> 'queued' and history.last_said.next_attempt_at is null
            and history.last_said.event <> 'not_received' then 'failed'
        else 'waiting'
    end as state,
    queued.invoice_id,
    queued.invoice_number,
    queued.kind,
    queued.customer_id,
    queued.recipient,
    queued.recipient_name,
    queued.language,
    queued.message_id,
    queued.occurred_at as queued_at,
    coalesce(history.last_said.next_attempt_at, queued.occurred_at) as next_attempt_at,
    history.last_at,
    history.tries,
    history.undelivered,
    history.retries,
    coalesce(claimed.claim, 0) as claim,
    history.last_said.code as code,
    history.last_said.detail as detail
from queued
inner join history on queued.tenant_id = history.tenant_id and queued.delivery_id = history.delivery_id
left join claimed on queued.tenant_id = claimed.tenant_id and queued.delivery_id = claimed.delivery_id
order by queued.tenant_id, queued.occurred_at, queued.invoice_number, queued.recipient
