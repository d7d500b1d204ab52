-- As known by known_as_of; a later row about the same grant supersedes.
with

credit_grants as (

    select * from {{ source('raw', 'credit_grants') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

ranked as (

    select
        credit_grants.*,
        row_number() over (
            partition by credit_grants.tenant_id, credit_grants.grant_id order by credit_grants.recorded_at desc, credit_grants.batch_id desc
        ) as recency
    from credit_grants
    inner join clocks on credit_grants.tenant_id = clocks.tenant_id
    where credit_grants.recorded_at <= clocks.known_as_of

)

select * exclude (recency, source, batch_id)
from ranked
where recency = 1
