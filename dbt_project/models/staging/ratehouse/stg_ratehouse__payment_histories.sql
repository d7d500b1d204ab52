-- The tellings of payments that were told of more than once, in order. Of those told at one instant the one that ends the payment is the last.
{{ config(materialized='table') }}
with

payments as {{ not_materialized() }}(

    select * from {{ source('raw', 'payments') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

tellings as {{ not_materialized() }}(

    select
        payments.*,
        {{ hash_key('payments.tenant_id', 'payments.payment_id') }} as payment_key
    from payments
    inner join clocks on payments.tenant_id = clocks.tenant_id
    where payments.recorded_at <= clocks.known_as_of

),

-- By key, which is narrow; two payments that share one fall apart below.
told_again as (

    select payment_key
    from tellings
    group by payment_key
    having count(*) > 1

)

select
    tellings.* exclude (source, batch_id, payment_key),
    row_number() over in_order as state_no,
    lead(tellings.recorded_at) over in_order as replaced_at
from tellings
inner join told_again on tellings.payment_key = told_again.payment_key
window in_order as (
    partition by tellings.tenant_id, tellings.payment_id
    order by tellings.recorded_at, {{ payment_status_rank('tellings.status') }}, tellings.batch_id
)
