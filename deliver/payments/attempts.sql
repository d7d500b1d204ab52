-- Every action that was taken up here, with its state: a fold over what was told of its payment or refund. One row per action and subject
-- (the invoice that is charged, the payment that is refunded).
with

-- What was told here. Tellings of a subject are numbered; the number ends the name of their batch.
own as (

    select
        tenant_id,
        'charge' as kind,
        idempotency_key,
        invoice_id as subject,
        payment_id as told_id,
        * exclude (tenant_id, idempotency_key)
    from payments
    where source = 'collection'
    union all by name
    select
        tenant_id,
        'refund' as kind,
        idempotency_key,
        payment_id as subject,
        refund_id as told_id,
        * exclude (tenant_id, idempotency_key)
    from refunds
    where source = 'collection'

),

numbered as (

    select
        *,
        try_cast(right(batch_id, 4) as integer) as telling_no,
        -- How often it was found by then that nothing had been charged.
        count(*) filter (status = 'cancelled') over (
            partition by tenant_id, kind, idempotency_key order by batch_id
            rows between unbounded preceding and 1 preceding
        ) as absences,
        count(*) filter (status = 'cancelled') over (partition by tenant_id, kind, idempotency_key) as absences_in_all,
        coalesce(max(telling_no) over (partition by tenant_id, kind, subject), 0) as last_telling_no
    from own

),

-- The gateway's notices and reports tell of the same payments.
reported as (

    select
        tenant_id,
        'charge' as kind,
        payment_id as told_id,
        status,
        recorded_at
    from payments
    where source is distinct from 'collection'
    union all
    select
        tenant_id,
        'refund' as kind,
        refund_id as told_id,
        status,
        recorded_at
    from refunds
    where source is distinct from 'collection'

),

latest as (

    select * exclude (absences, absences_in_all)
    from numbered
    qualify row_number() over (partition by tenant_id, kind, idempotency_key order by batch_id desc) = 1

),

folded as (

    select
        tenant_id,
        kind,
        idempotency_key,
        any_value(absences_in_all) as absences,
        -- When the attempt that counts was begun, and how often it was asked after.
        coalesce(min(recorded_at) filter (absences = absences_in_all), min(recorded_at)) as claimed_at,
        count(*) filter (absences = absences_in_all and status in ('unknown', 'processing', 'pending')) - 1 as asks,
        bool_or(status = 'succeeded') as has_succeeded,
        bool_or(status = 'failed') as has_failed
    from numbered
    group by all

),

reports as (

    select
        latest.tenant_id,
        latest.kind,
        latest.idempotency_key,
        bool_or(reported.status = 'succeeded') as has_succeeded,
        bool_or(reported.status = 'failed') as has_failed
    from latest
    inner join reported
        on
            latest.tenant_id = reported.tenant_id
            and latest.kind = reported.kind
            and latest.told_id = reported.told_id
    group by all

)

select
    latest.tenant_id,
    latest.kind,
    latest.idempotency_key,
    latest.subject,
    case
        when folded.has_succeeded or reports.has_succeeded then 'succeeded'
        when folded.has_failed or reports.has_failed then 'failed'
        when latest.status = 'cancelled' then 'absent'
        when latest.status in ('processing', 'pending') then 'processing'
        else 'unknown'
    end as state,
    latest.payment_id,
    latest.invoice_id,
    latest.customer_id,
    latest.amount,
    latest.currency,
    latest.provider as gateway,
    latest.provider_id,
    latest.method,
    latest.failure_code,
    -- Which attempt is the next one, or is under way: one more than those that came to nothing.
    cast(folded.absences + 1 as integer) as attempt,
    folded.claimed_at,
    cast(folded.asks as integer) as asks,
    latest.recorded_at as last_at,
    latest.last_telling_no
from latest
inner join folded
    on
        latest.tenant_id = folded.tenant_id
        and latest.kind = folded.kind
        and latest.idempotency_key = folded.idempotency_key
left join reports
    on
        latest.tenant_id = reports.tenant_id
        and latest.kind = reports.kind
        and latest.idempotency_key = reports.idempotency_key
order by latest.tenant_id, folded.claimed_at, latest.idempotency_key
