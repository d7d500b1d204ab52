-- What people said about the change of a line of revenue, as known by known_as_of; what landed twice is said once.
with

explanations as (

    select * from {{ source('raw', 'flux_explanations') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

)

select
    explanations.tenant_id,
    explanations.explanation_id,
    explanations.comparison,
    explanations.period,
    explanations.account_role,
    explanations.charge,
    explanations.currency,
    explanations.action,
    explanations.change,
    explanations.explanation,
    explanations.owner,
    explanations.decided_by,
    greatest(explanations.effective_at, explanations.recorded_at) as decided_at,
    explanations.recorded_at
from explanations
inner join clocks on explanations.tenant_id = clocks.tenant_id
where greatest(explanations.effective_at, explanations.recorded_at) <= clocks.known_as_of
qualify row_number() over (
    partition by explanations.tenant_id, explanations.explanation_id order by explanations.recorded_at, explanations.batch_id
) = 1
