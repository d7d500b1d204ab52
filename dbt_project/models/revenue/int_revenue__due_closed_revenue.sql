-- What the due closes freeze: the revenue that is posted to their months, and to months before them that were never closed.
with

due as (

    select * from {{ ref('int_revenue__due_closes') }}
    where refused_by is null

),

recognised as (

    select * from {{ ref('int_revenue__recognised') }}

),

contracts as (

    select * from {{ ref('int_revenue__booked_contracts') }}

),

closed as (

    select * from {{ ref('int_revenue__last_closes') }}

)

select
    recognised.tenant_id,
    min(due.period) as closed_period,
    recognised.posting_period,
    recognised.contract_id,
    recognised.obligation_id,
    recognised.period,
    any_value(recognised.method) as method,
    {{ from_minor('any_value(recognised.recognised)', 'any_value(contracts.minor_digits)') }} as recognised,
    {{ from_minor('any_value(recognised.breakage)', 'any_value(contracts.minor_digits)') }} as breakage,
    {{ from_minor('any_value(recognised.prior_performance)', 'any_value(contracts.minor_digits)') }} as prior_performance,
    any_value(contracts.currency) as currency
from due
inner join recognised
    on
        due.tenant_id = recognised.tenant_id
        and due.period >= recognised.posting_period
inner join contracts
    on
        recognised.tenant_id = contracts.tenant_id
        and recognised.contract_id = contracts.contract_id
left join closed on due.tenant_id = closed.tenant_id
where closed.last_period is null or recognised.posting_period > closed.last_period
group by recognised.tenant_id, recognised.posting_period, recognised.contract_id, recognised.obligation_id, recognised.period
