-- The certificate as it is known: of its rows recorded by known_as_of the latest.
with

certificates as (

    select * from {{ source('raw', 'exemption_certificates') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

ranked as (

    select
        certificates.*,
        min(certificates.recorded_at) over (partition by certificates.tenant_id, certificates.certificate_id) as first_recorded_at,
        row_number() over (
            partition by certificates.tenant_id, certificates.certificate_id
            order by certificates.recorded_at desc, certificates.batch_id desc
        ) as recency
    from certificates
    inner join clocks on certificates.tenant_id = clocks.tenant_id
    where certificates.recorded_at <= clocks.known_as_of

)

select * exclude (recency)
from ranked
where recency = 1
