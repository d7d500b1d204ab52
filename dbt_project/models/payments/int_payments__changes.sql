-- Money that came and went with what was told of refunds and disputes, and with the tellings of payments that were told more than once: what a
-- telling says less what the one before it said.
with

payments as (

    select
        tenant_id,
        'payment' as source_type,
        payment_id as source_id,
        payment_id,
        recorded_at,
        state_no,
        {{ brought('status', 'amount') }} as amount
    from {{ ref('stg_ratehouse__payment_states') }}
    where state_no > 1 or replaced_at is not null

),

refunds as (

    select
        tenant_id,
        'refund' as source_type,
        refund_id as source_id,
        payment_id,
        recorded_at,
        state_no,
        case when coalesce(status, 'succeeded') = 'succeeded' then -amount else 0 end as amount
    from {{ ref('stg_ratehouse__refund_states') }}

),

disputes as (

    select
        tenant_id,
        'dispute' as source_type,
        dispute_id as source_id,
        payment_id,
        recorded_at,
        state_no,
        case when stage in ('lost', 'partially_lost') then -amount else 0 end as amount
    from {{ ref('stg_ratehouse__dispute_states') }}

),

standing as (

    select * from payments
    union all
    select * from refunds
    union all
    select * from disputes

)

select
    tenant_id,
    source_type,
    source_id,
    state_no,
    payment_id,
    recorded_at,
    cast(amount - coalesce(lag(amount) over (partition by tenant_id, source_type, source_id order by state_no), 0) as decimal(20, 4)) as amount
from standing
