-- The stand-alone selling price by which an obligation version takes its share (606-10-32-31 to 37): a member of a bundle with
-- an observable price carries the bundle's discount; a residual obligation is what the price leaves over.
with

obligations as (

    select * from {{ ref('int_revenue__obligations') }}

),

contracts as (

    select * from {{ ref('stg_ratehouse__contracts') }}

),

groups as (

    select
        tenant_id,
        contract_id,
        telling,
        {{ json_text('discount_group', 'discount_group') }} as discount_group,
        cast({{ json_text('discount_group', 'price') }} as decimal(38, 12)) as group_price
    from (
        select
            tenant_id,
            contract_id,
            telling,
            unnest({{ json_elements('discount_groups') }}) as discount_group
        from contracts
    ) as listed

),

-- Without an SSP the stated price stands for it; the only obligation of a contract takes the price whatever its SSP.
stated as (

    select
        obligations.*,
        case
            when obligations.ssp_method = 'residual' or obligations.recognise = 'as_invoiced' then cast(0 as decimal(38, 12))
            else coalesce(
                obligations.ssp,
                obligations.price,
                case when count(*) over (partition by obligations.tenant_id, obligations.contract_id, obligations.telling, obligations.valid_from) = 1 then cast(1 as decimal(38, 12)) end,
                cast(0 as decimal(38, 12))
            )
        end as stated_ssp
    from obligations

),

in_groups as (

    select
        stated.*,
        case
            when groups.group_price is null then stated.stated_ssp
            else cast(
                {{ prorate('groups.group_price', to_scaled('stated.stated_ssp', 12), to_scaled('sum(stated.stated_ssp) over (partition by stated.tenant_id, stated.contract_id, stated.telling, stated.discount_group, stated.valid_from)', 12)) }}
                as decimal(38, 12)
            )
        end as group_ssp
    from stated
    left join groups
        on
            stated.tenant_id = groups.tenant_id
            and stated.contract_id = groups.contract_id
            and stated.telling = groups.telling
            and stated.discount_group = groups.discount_group

),

replanned as (

    select distinct
        tenant_id,
        contract_id
    from {{ ref('int_revenue__epochs') }}
    where epoch >= {{ var('most_epochs') }}

),

valued as (

    select
        in_groups.*,
        case
            when in_groups.ssp_method = 'residual'
                then contracts.consideration - sum(in_groups.group_ssp) over (partition by in_groups.tenant_id, in_groups.contract_id, in_groups.telling, in_groups.valid_from)
            else in_groups.group_ssp
        end as effective_ssp,
        coalesce(contracts.consideration, 0) <> 0 as has_price,
        replanned.contract_id is not null as has_too_many_epochs
    from in_groups
    inner join contracts
        on
            in_groups.tenant_id = contracts.tenant_id
            and in_groups.contract_id = contracts.contract_id
            and in_groups.telling = contracts.telling
    left join replanned
        on
            in_groups.tenant_id = replanned.tenant_id
            and in_groups.contract_id = replanned.contract_id

)

select
    *,
    -- Why the contract cannot be allocated at all; it is then refused with this reason.
    case
        -- No number is better than a wrong one.
        when has_too_many_epochs then 'too_many_modifications'
        when bool_or(ssp_method = 'residual' and (effective_ssp < coalesce(ssp_low, 0) or effective_ssp > coalesce(ssp_high, effective_ssp)))
            over (partition by tenant_id, contract_id, telling)
            then 'residual_out_of_range'
        when
            has_price
            and bool_and(effective_ssp = 0 or valid_from > contract_from) over (partition by tenant_id, contract_id, telling)
            then 'no_allocation_basis'
    end as refusal
from (
    select
        valued.*,
        min(valid_from) over (partition by tenant_id, contract_id, telling) as contract_from
    from valued
) as dated
