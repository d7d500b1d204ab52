-- Every telling of a payment, in order: what was told once needs none, and is read where it lies.
with

histories as (

    select * from {{ ref('stg_ratehouse__payment_histories') }}

)

select
    payments.* exclude (source, batch_id),
    cast(1 as bigint) as state_no,
    cast(null as timestamp with time zone) as replaced_at
from {{ source('raw', 'payments') }} as payments
inner join {{ ref('stg_ratehouse__tenant_clocks') }} as clocks on payments.tenant_id = clocks.tenant_id
left join histories
    on
        payments.tenant_id = histories.tenant_id
        and payments.payment_id = histories.payment_id
        and histories.state_no = 1
where payments.recorded_at <= clocks.known_as_of and histories.payment_id is null
union all
select * from histories
