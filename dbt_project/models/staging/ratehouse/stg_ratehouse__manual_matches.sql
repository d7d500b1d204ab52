-- Every decision of a person that two things belong together or do not, with when it took effect and until when it stood.
with

manual_matches as (

    select * from {{ source('raw', 'manual_matches') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

-- A decision that landed twice is one.
decisions as (

    select
        manual_matches.* exclude (source, batch_id),
        greatest(manual_matches.effective_at, manual_matches.recorded_at) as decided_at
    from manual_matches
    inner join clocks on manual_matches.tenant_id = clocks.tenant_id
    where greatest(manual_matches.effective_at, manual_matches.recorded_at) <= clocks.known_as_of
    qualify row_number() over (
        partition by manual_matches.tenant_id, manual_matches.match_id order by manual_matches.recorded_at, manual_matches.batch_id
    ) = 1

)

select
    *,
    lead(decided_at) over (
        partition by tenant_id, area, left_reference, right_reference order by decided_at, match_id
    ) as replaced_at
from decisions
