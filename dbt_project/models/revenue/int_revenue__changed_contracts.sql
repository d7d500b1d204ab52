-- The contracts that are made again in this build: those whose mark is not the one that they were made under, those to which a month that is over or
-- closed since may bring something, and all of which something is stated, with the subscriptions that they name. The ids of subscriptions are those of
-- the contracts that they are.
-- depends_on: {{ ref('int_rating__rated_charges') }}
{{ config(tags=['marks']) }}
with

marks as (

    select * from {{ ref('int_revenue__contract_marks') }}

),

contracts as (

    select * from {{ ref('stg_ratehouse__contracts') }}

),

stated as (

    select
        tenant_id,
        contract_id
    from contracts
    union
    select
        tenant_id,
        unnest({{ json_texts('subscription_ids') }}) as contract_id
    from contracts
    union
    select
        tenant_id,
        contract_id
    from {{ ref('stg_ratehouse__contract_events') }}

){% if contracts_were_made() %},

made as (

    select * from {{ ref_of('int_revenue__made_contracts') }}

),

-- From which day on something may be otherwise than it was made: that of the first month which is complete or open now and was not, or was and is not.
moved as (

    select
        now.tenant_id,
        least(
            before.reported_before,
            case
                when now.opens_on is distinct from before.opens_on
                    then least(coalesce(now.opens_on, date '0001-01-01'), coalesce(before.opens_on, date '0001-01-01'))
            end
        ) as moves_from
    from (select distinct tenant_id, reported_before, opens_on from marks) as now
    inner join (select distinct tenant_id, reported_before, opens_on from made) as before on now.tenant_id = before.tenant_id
    where now.reported_before <> before.reported_before or now.opens_on is distinct from before.opens_on

),

moving as (

    select
        tenant_id,
        subscription_id as contract_id,
        greatest(service_end, earned_before, bill_date + 1, voided_on + 1) as still_before
    from {{ ref_of('int_revenue__invoice_lines') }}
    union all
    select
        tenant_id,
        subscription_id as contract_id,
        greatest(service_end, service_start + 1) as still_before
    from {{ ref('int_rating__rated_charges') }}
    union all
    select
        tenant_id,
        contract_id,
        posted_on + 1 as still_before
    from {{ ref_of('int_revenue__billing') }}
    union all
    select
        tenant_id,
        contract_id,
        last_day(cast(greatest(period, posting_period) || '-01' as date)) + 1 as still_before
    from {{ ref_of('int_revenue__settled') }}

)

select
    coalesce(marks.tenant_id, made.tenant_id) as tenant_id,
    coalesce(marks.contract_id, made.contract_id) as contract_id
from marks
full outer join made
    on
        marks.tenant_id = made.tenant_id
        and marks.contract_id = made.contract_id
where
    marks.mark is distinct from made.mark
    -- A clock that was put back.
    or marks.reported_before < made.reported_before
union
select * from stated
union
select
    moving.tenant_id,
    moving.contract_id
from moving
inner join moved on moving.tenant_id = moved.tenant_id
where moving.still_before > moved.moves_from
{%- else %}

select
    tenant_id,
    contract_id
from marks
union
select * from stated
{%- endif %}
