-- As known by known_as_of; a later row about the same payment supersedes.
with

payments as (

    select * from {{ source('raw', 'payments') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

ranked as (

    select
        payments.*,
        row_number() over (
            partition by payments.tenant_id, payments.payment_id order by payments.recorded_at desc, payments.batch_id desc
        ) as recency
    from payments
    inner join clocks on payments.tenant_id = clocks.tenant_id
    where payments.recorded_at <= clocks.known_as_of

)

select * exclude (recency, source, batch_id)
from ranked
where recency = 1
