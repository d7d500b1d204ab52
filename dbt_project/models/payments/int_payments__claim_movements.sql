-- Money of another legal entity is kept apart from what a payment may pay: what waits of it when somebody says so, and what comes to wait while
-- it is said. What goes back to the payer is taken from it.
{{ config(materialized='view') }}
with

claims as (

    select * from {{ ref('stg_ratehouse__intercompany_claims') }}

),

flows as (

    select flows.*
    from {{ ref('int_payments__flows') }} as flows
    where (flows.tenant_id, flows.payment_id) in (select (tenant_id, payment_id) from claims)

),

-- When money of a payment comes to wait.
instants as (

    select
        tenant_id,
        payment_id,
        flowed_at as moved_at
    from flows
    where amount > 0
    union
    select
        tenant_id,
        payment_id,
        decided_at as moved_at
    from {{ ref('int_payments__decisions') }}
    where action = 'unmatch' and problem is null

)

select
    tenant_id,
    payment_id,
    cast(null as varchar) as flow_id,
    case action when 'hold' then 'held' else 'freed' end as kind,
    decided_at as moved_at,
    0 as phase,
    case action when 'hold' then 0 else -1 end as step,
    -- What comes at the same instant comes first.
    case when action = 'hold' then 0 end as due_place,
    cast(null as varchar) as rule,
    case action when 'hold' then 'rest:' else 'held:' end || payment_id as from_pot,
    cast(null as varchar) as from_second_pot,
    case action when 'hold' then 'held:' else 'rest:' end || payment_id as to_pot
from claims
union all
select
    claims.tenant_id,
    claims.payment_id,
    null as flow_id,
    'held' as kind,
    instants.moved_at,
    0 as phase,
    0 as step,
    0 as due_place,
    'later' as rule,
    'rest:' || claims.payment_id as from_pot,
    null as from_second_pot,
    'held:' || claims.payment_id as to_pot
from claims
inner join instants
    on
        claims.tenant_id = instants.tenant_id
        and claims.payment_id = instants.payment_id
        and claims.decided_at < instants.moved_at
        and coalesce(claims.replaced_at, timestamptz '9999-12-31 00:00:00+00') > instants.moved_at
where claims.action = 'hold'
union all
select
    tenant_id,
    payment_id,
    flow_id,
    'returned_from_held' as kind,
    flowed_at as moved_at,
    0 as phase,
    4 as step,
    null as due_place,
    'held' as rule,
    'back:' || flow_id as from_pot,
    'held:' || payment_id as from_second_pot,
    null as to_pot
from flows
where amount < 0
