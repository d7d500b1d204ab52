-- As known by known_as_of; a later row about the same payment supersedes: the last of stg_ratehouse__payment_states, without numbering
-- the others.
with

payments as (

    select * from {{ source('raw', 'payments') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

)

select payments.* exclude (source, batch_id)
from payments
inner join clocks on payments.tenant_id = clocks.tenant_id
where payments.recorded_at <= clocks.known_as_of
qualify row_number() over (
    partition by payments.tenant_id, payments.payment_id
    order by payments.recorded_at desc, {{ payment_status_rank('payments.status') }} desc, payments.batch_id desc
) = 1
