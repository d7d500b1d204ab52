-- Proofs of taxes that customers kept of invoices, and what was said of proofs that will not come, each from when it is effective and known.
with

certificates as (

    select * from {{ source('raw', 'withholding_certificates') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

)

-- A certificate that landed twice is one.
select
    certificates.* exclude (source, batch_id),
    greatest(certificates.effective_at, certificates.recorded_at) as counts_from
from certificates
inner join clocks on certificates.tenant_id = clocks.tenant_id
where greatest(certificates.effective_at, certificates.recorded_at) <= clocks.known_as_of
qualify row_number() over (
    partition by certificates.tenant_id, certificates.certificate_id
    order by certificates.recorded_at, certificates.batch_id
) = 1
