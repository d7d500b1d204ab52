-- Which charge, by which definition, each span of terms is billed by: the plan's charges of the version in force, each
-- replaced by the subscription's negotiated one where there is one.
with

terms as (

    select * from {{ ref('int_subscriptions__terms') }}

),

plans as (

    select * from {{ ref('int_rating__plans') }}

),

plan_charges as (

    select
        terms.*,
        plans.name as plan_name,
        plans.trial_usage,
        unnest(map_entries(cast(plans.charges as map(varchar, json)))) as entry
    from terms
    inner join plans
        on
            terms.tenant_id = plans.tenant_id
            and terms.price_book = plans.price_book
            and terms.plan = plans.plan

),

defined as (

    select
        * exclude (entry, overrides),
        entry.key as charge,
        coalesce(json_extract(overrides, '$."' || entry.key || '"'), entry.value) as definition
    from plan_charges

),

-- Renewed terms may cost more; what is used does not.
uplifted as (

    select * replace (cast(case
        when price_factor <> 1 and {{ json_text('definition', 'type') }} = 'recurring'
            then json_merge_patch(definition, json_object('price_factor', cast(price_factor as varchar)))
        else definition
    end as varchar) as definition)
    from defined

),

-- A minimum commitment is a charge of its own, trued up at the period's end.
committed as (

    select
        terms.*,
        plans.name as plan_name,
        plans.trial_usage,
        'minimum' as charge,
        cast(json_object(
            'position', '9000', 'type', 'minimum', 'timing', 'arrears', 'splits', 'false', 'commitment', plans.minimum_commitment,
            'proration', case when {{ json_text('plans.minimum_commitment', 'prorate') }} = 'false' then 'none' else 'inherit' end
        ) as varchar) as definition
    from terms
    inner join plans
        on
            terms.tenant_id = plans.tenant_id
            and terms.price_book = plans.price_book
            and terms.plan = plans.plan
    where plans.minimum_commitment is not null

),

complete as (

    select * from uplifted
    union all by name
    select * exclude (overrides) from committed

)

select
    * exclude (definition, price_factor),
    definition,
    md5(definition) as charge_key
from complete
