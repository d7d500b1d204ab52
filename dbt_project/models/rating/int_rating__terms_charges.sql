-- Which charge, by which definition, each span of terms is billed by: the plan's charges of the version in force, each
-- replaced by the subscription's negotiated one where there is one. The definitions of a plan are known (int_rating__plan_charges);
-- one of the subscription's own stands here. A view: plans have few charges, and nothing of them is worth writing down once a term.
{{ config(materialized='view') }}
with

terms as (

    select * from {{ ref('int_subscriptions__terms') }}

),

plan_charges as (

    select * from {{ ref('int_rating__plan_charges') }}

),

offered as (

    select
        terms.*,
        plan_charges.plan_name,
        plan_charges.trial_usage,
        plan_charges.charge,
        plan_charges.charge_key,
        plan_charges.definition as plan_definition,
        case
            when terms.overrides is not null and plan_charges.is_negotiable
                then json_extract(terms.overrides, '$."' || plan_charges.charge || '"')
        end as negotiated
    from terms
    inner join plan_charges
        on
            terms.tenant_id = plan_charges.tenant_id
            and terms.price_book = plan_charges.price_book
            and terms.plan = plan_charges.plan

),

-- Renewed terms may cost more; what is used does not.
own as (

    select
        * exclude (overrides, plan_definition, negotiated, price_factor),
        cast(case
            when price_factor <> 1 and {{ json_text('coalesce(negotiated, cast(plan_definition as json))', 'type') }} = 'recurring'
                then json_merge_patch(coalesce(negotiated, cast(plan_definition as json)), json_object('price_factor', cast(price_factor as varchar)))
            else negotiated
        end as varchar) as definition
    from offered

)

select * replace (case when definition is null then charge_key else md5(definition) end as charge_key)
from own
