-- What people said of payments whose money is another legal entity's, each with when it took effect and until when it stood.
with

claims as (

    select * from {{ source('raw', 'intercompany_claims') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

-- A claim that landed twice is one.
decisions as (

    select
        claims.* exclude (source, batch_id),
        greatest(claims.effective_at, claims.recorded_at) as decided_at
    from claims
    inner join clocks on claims.tenant_id = clocks.tenant_id
    where greatest(claims.effective_at, claims.recorded_at) <= clocks.known_as_of
    qualify row_number() over (
        partition by claims.tenant_id, claims.claim_id
        order by claims.recorded_at, claims.batch_id
    ) = 1

)

select
    *,
    lead(decided_at) over (partition by tenant_id, payment_id order by decided_at, claim_id) as replaced_at
from decisions
