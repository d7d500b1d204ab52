-- Every telling of a payment, in order. Of those told at one instant the one that ends the payment is the last.
with

payments as (

    select * from {{ source('raw', 'payments') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

)

select
    payments.* exclude (source, batch_id),
    row_number() over in_order as state_no,
    lead(payments.recorded_at) over in_order as replaced_at
from payments
inner join clocks on payments.tenant_id = clocks.tenant_id
where payments.recorded_at <= clocks.known_as_of
window in_order as (
    partition by payments.tenant_id, payments.payment_id
    order by payments.recorded_at, {{ payment_status_rank('payments.status') }}, payments.batch_id
)
