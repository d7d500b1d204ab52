-- The stand-alone selling price by which an obligation shares what a contract starts an epoch with: the one stated with the
-- modification, else what is left of the earlier one, the price × (1 − progress) of every epoch since it was stated. What is removed keeps the price of
-- what the epoch had transferred of it by then: nothing, where the removal starts one.
with

progress as (

    select * from {{ ref('int_revenue__progress') }}

),

-- An epoch that has ended looks the same from every later month.
ended as (

    select
        tenant_id,
        contract_id,
        obligation_id,
        epoch,
        any_value(is_ssp_stated) as is_ssp_stated,
        any_value(effective_ssp) as effective_ssp,
        any_value(numerator) as numerator,
        any_value(denominator) as denominator
    from progress
    where not is_last_epoch
    group by tenant_id, contract_id, obligation_id, epoch

),

left_over as (

    select
        tenant_id,
        contract_id,
        obligation_id,
        epoch + 1 as epoch,
        list_reduce(
            list({
                'is_stated': is_ssp_stated,
                'ssp': cast(effective_ssp as decimal(38, 12)),
                'done': cast(numerator as hugeint),
                'whole': cast(denominator as hugeint)
            }) over history,
            lambda before, ended: {
                'is_stated': before.is_stated,
                'ssp': cast({{ prorate('case when ended.is_stated then ended.ssp else before.ssp end', 'ended.whole - ended.done', 'ended.whole') }} as decimal(38, 12)),
                'done': before.done,
                'whole': before.whole
            },
            {
                'is_stated': false,
                'ssp': cast(0 as decimal(38, 12)),
                'done': cast(0 as hugeint),
                'whole': cast(1 as hugeint)
            }
        ).ssp as ssp
    from ended
    window history as (partition by tenant_id, contract_id, obligation_id order by epoch)

)

select
    tenant_id,
    contract_id,
    obligation_id,
    as_of,
    epoch,
    effective_ssp,
    case
        when is_removed then cast({{ prorate('ssp', 'kept_numerator', 'kept_denominator') }} as decimal(38, 12))
        else ssp
    end as remaining_ssp
from (
    select
        progress.*,
        case
            when progress.is_ssp_stated then progress.effective_ssp
            else greatest(coalesce(left_over.ssp, progress.effective_ssp), 0)
        end as ssp
    from progress
    left join left_over
        on
            progress.tenant_id = left_over.tenant_id
            and progress.contract_id = left_over.contract_id
            and progress.obligation_id = left_over.obligation_id
            and progress.epoch = left_over.epoch
) as priced
