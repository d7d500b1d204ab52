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

    select payments.* exclude (source)
    from payments
    inner join clocks on payments.tenant_id = clocks.tenant_id
    where payments.recorded_at <= clocks.known_as_of

),

told_again as (

    select
        tenant_id,
        payment_id
    from tellings
    group by tenant_id, payment_id
    having count(*) > 1

)

select
    tellings.* exclude (batch_id),
    cast(1 as bigint) as state_no,
    cast(null as timestamp with time zone) as replaced_at
from tellings
left join told_again
    on
        tellings.tenant_id = told_again.tenant_id
        and tellings.payment_id = told_again.payment_id
where told_again.payment_id is null
union all
select
    tellings.* exclude (batch_id),
    row_number() over in_order as state_no,
    lead(tellings.recorded_at) over in_order as replaced_at
from tellings
inner join told_again
    on
        tellings.tenant_id = told_again.tenant_id
        and tellings.payment_id = told_again.payment_id
window in_order as (
    partition by tellings.tenant_id, tellings.payment_id
    order by tellings.recorded_at, {{ payment_status_rank('tellings.status') }}, tellings.batch_id
)
