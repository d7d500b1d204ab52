-- Where a contract stands at a month end: a liability or an asset, never both (606-10-45-1).
with

positions as (

    select * from {{ ref('int_revenue__positions') }}

)

select
    tenant_id,
    contract_id,
    period,
    {{ from_minor('billed_to_date - credited_to_date - refunded_to_date', 'minor_digits') }} as billed,
    {{ from_minor('recognised_to_date', 'minor_digits') }} as recognised,
    {{ from_minor('greatest(net_position, 0)', 'minor_digits') }} as contract_liability,
    {{ from_minor('greatest(-net_position, 0)', 'minor_digits') }} as contract_asset,
    {{ from_minor('billed_to_date - credited_to_date - paid_to_date', 'minor_digits') }} as receivable,
    {{ from_minor('refund_liability', 'minor_digits') }} as refund_liability,
    currency
from positions
