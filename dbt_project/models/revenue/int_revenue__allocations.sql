-- The price of every month end split over the obligations, epoch by epoch and in minor units (606-10-32-28 to 41): what the price
-- group shares by SSP, and what is promised for some obligations alone.
with

month_ends as (

    select * from {{ ref('int_revenue__month_ends') }}

),

changes as (

    select * from {{ ref('int_revenue__price_changes') }}
    where not is_dated

),

-- Changes for the same obligations are one total to split.
pools as (

    select
        month_ends.tenant_id,
        month_ends.contract_id,
        month_ends.as_of,
        changes.epoch,
        concat_ws('|', changes.price_group, changes.obligation_ids) as pool,
        changes.price_group as next_pool,
        changes.price_group,
        changes.obligation_ids,
        cast(sum(changes.amount) as hugeint) as amount
    from month_ends
    inner join changes
        on
            month_ends.tenant_id = changes.tenant_id
            and month_ends.contract_id = changes.contract_id
            and month_ends.as_of >= changes.effective_on
    group by month_ends.tenant_id, month_ends.contract_id, month_ends.as_of, changes.epoch, changes.price_group, changes.obligation_ids

),

{{ carry_through_epochs('pools') }}

select
    tenant_id,
    contract_id,
    obligation_id,
    as_of,
    epoch,
    cast(sum(allocated) as hugeint) as allocated,
    cast(sum(recognised) as hugeint) as recognised
from shares
group by tenant_id, contract_id, obligation_id, as_of, epoch
