-- Every telling of a payment, in order. Of those told at one instant the one that ends the payment is the last. A table, for all that has to
-- do with money reads it; what was told once needs no order.
{{ config(materialized='table') }}
with

payments as (

    select * from {{ source('raw', 'payments') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

tellings as {{ not_materialized() }}(

    select
        payments.* exclude (source),
        {{ hash_key('payments.tenant_id', 'payments.payment_id') }} as payment_key
    from payments
    inner join clocks on payments.tenant_id = clocks.tenant_id
    where payments.recorded_at <= clocks.known_as_of

),

-- By key, and so perhaps a few that were told once: their order is of one.
told_again as (

    select payment_key
    from tellings
    group by payment_key
    having count(*) > 1

)

select
    * exclude (batch_id, payment_key),
    cast(1 as bigint) as state_no,
    cast(null as timestamp with time zone) as replaced_at
from tellings
where payment_key not in (select payment_key from told_again)
union all
select
    * exclude (batch_id, payment_key),
    row_number() over in_order as state_no,
    lead(recorded_at) over in_order as replaced_at
from tellings
where payment_key in (select payment_key from told_again)
window in_order as (
    partition by tenant_id, payment_id
    order by recorded_at, {{ payment_status_rank('status') }}, batch_id
)
