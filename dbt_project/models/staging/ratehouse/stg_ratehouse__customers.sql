-- The customer as it stands at billing_as_of: of the rows known by then, the latest that is in effect.
with

customers as (

    select * from {{ source('raw', 'customers') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

ranked as (

    select
        customers.* exclude (tax_id_status),
        -- A check that got no answer changes nothing: the last known answer stands.
        last_value(nullif(customers.tax_id_status, 'unknown') ignore nulls) over (
            partition by customers.tenant_id, customers.customer_id
            order by customers.effective_at, customers.recorded_at, customers.batch_id
            rows between unbounded preceding and unbounded following
        ) as tax_id_status,
        row_number() over (
            partition by customers.tenant_id, customers.customer_id
            order by customers.effective_at desc, customers.recorded_at desc, customers.batch_id desc
        ) as recency
    from customers
    inner join clocks on customers.tenant_id = clocks.tenant_id
    where
        customers.recorded_at <= clocks.known_as_of
        and customers.effective_at <= clocks.billing_as_of

)

select * exclude (recency)
from ranked
where recency = 1
