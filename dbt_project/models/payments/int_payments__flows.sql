-- Money as it came and went, one row per change that a telling made: a payment that succeeds or is returned, a refund that goes out or
-- fails, a dispute that is lost or won after all. It counts from the instant at which it became known.
with

payments as (

    select
        tenant_id,
        'payment' as source_type,
        payment_id as source_id,
        payment_id,
        recorded_at,
        state_no,
        case when status = 'succeeded' then amount else 0 end as amount
    from {{ ref('stg_ratehouse__payment_states') }}

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

),

changes as (

    select
        * exclude (amount),
        amount - coalesce(lag(amount) over (partition by tenant_id, source_type, source_id order by state_no), 0) as amount
    from standing

)

select
    tenant_id,
    concat_ws(':', source_type, source_id, state_no) as flow_id,
    source_type,
    source_id,
    payment_id,
    recorded_at as flowed_at,
    cast(amount as decimal(20, 4)) as amount
from changes
where amount <> 0
