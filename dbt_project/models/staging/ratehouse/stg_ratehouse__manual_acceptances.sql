-- Every decision of a person to let an item of the reconciliation stand, or not to, with when it took effect and until when it stood.
with

manual_acceptances as (

    select * from {{ source('raw', 'manual_acceptances') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

-- A decision that landed twice is one.
decisions as (

    select
        manual_acceptances.* exclude (source, batch_id),
        greatest(manual_acceptances.effective_at, manual_acceptances.recorded_at) as decided_at
    from manual_acceptances
    inner join clocks on manual_acceptances.tenant_id = clocks.tenant_id
    where greatest(manual_acceptances.effective_at, manual_acceptances.recorded_at) <= clocks.known_as_of
    qualify row_number() over (
        partition by manual_acceptances.tenant_id, manual_acceptances.acceptance_id
        order by manual_acceptances.recorded_at, manual_acceptances.batch_id
    ) = 1

)

select
    *,
    lead(decided_at) over (
        partition by tenant_id, area, item_status, reference order by decided_at, acceptance_id
    ) as replaced_at
from decisions
