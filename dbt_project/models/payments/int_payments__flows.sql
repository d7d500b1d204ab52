-- Money as it came and went, one row per change that a telling made: a payment that succeeds or is returned, a refund that goes out or
-- fails, a dispute that is lost or won after all. It counts from the instant at which it became known.
{{ config(materialized='view') }}
with

told_once as (

    select
        tenant_id,
        'payment' as source_type,
        payment_id as source_id,
        state_no,
        payment_id,
        recorded_at,
        cast({{ brought('status', 'amount') }} as decimal(20, 4)) as amount
    from {{ ref('stg_ratehouse__payment_states') }}
    where state_no = 1 and replaced_at is null

),

changes as (

    select * from told_once
    union all
    select * from {{ ref('int_payments__changes') }}

)

select
    tenant_id,
    {{ flow_id('source_type', 'source_id', 'state_no') }} as flow_id,
    source_type,
    source_id,
    state_no,
    payment_id,
    recorded_at as flowed_at,
    amount
from changes
where amount <> 0
