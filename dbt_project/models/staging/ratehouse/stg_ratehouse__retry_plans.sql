-- As known by known_as_of; of two plans of one retry the first counts.
with

retry_plans as (

    select * from {{ source('raw', 'retry_plans') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

)

select retry_plans.* exclude (source, batch_id)
from retry_plans
inner join clocks on retry_plans.tenant_id = clocks.tenant_id
where retry_plans.recorded_at <= clocks.known_as_of
qualify row_number() over (
    partition by retry_plans.tenant_id, retry_plans.invoice_id, retry_plans.retry_no
    order by retry_plans.recorded_at, retry_plans.plan_id
) = 1
