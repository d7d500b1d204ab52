-- The price of every month end split over the obligations of that day, in minor units (606-10-32-28 to 41): what the price
-- group shares by SSP, and what is promised for some obligations alone. The largest remainder decides the last cents.
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
        concat_ws('|', changes.price_group, changes.obligation_ids) as pool,
        changes.price_group,
        changes.obligation_ids,
        cast(sum(changes.amount) as hugeint) as amount
    from month_ends
    inner join changes
        on
            month_ends.tenant_id = changes.tenant_id
            and month_ends.contract_id = changes.contract_id
            and month_ends.as_of >= changes.effective_on
    group by month_ends.tenant_id, month_ends.contract_id, month_ends.as_of, changes.price_group, changes.obligation_ids

),

{{ split_over_obligations('pools') }}

select
    tenant_id,
    contract_id,
    obligation_id,
    as_of,
    cast(sum(allocated) as hugeint) as allocated
from shares
group by tenant_id, contract_id, obligation_id, as_of
