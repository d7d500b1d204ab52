-- Where a contract stands at a month end: a liability or an asset, never both (606-10-45-1).
with

positions as (

    select * from {{ ref('int_revenue__positions') }}

),

receivables as (

    select * from {{ ref('int_revenue__receivables') }}

),

contracts as (

    select * from {{ ref('int_revenue__contracts') }}

)

select
    positions.tenant_id,
    positions.contract_id,
    contracts.customer_id,
    positions.period,
    {{ from_minor('positions.billed_to_date - positions.credited_to_date - positions.refunded_to_date', 'positions.minor_digits') }} as billed,
    {{ from_minor('positions.recognised_to_date', 'positions.minor_digits') }} as recognised,
    {{ from_minor('greatest(positions.net_position, 0)', 'positions.minor_digits') }} as contract_liability,
    {{ from_minor('greatest(-positions.net_position, 0)', 'positions.minor_digits') }} as contract_asset,
    -- What the contract says of itself, and what is open on its documents.
    {{ from_minor('positions.billed_to_date - positions.documented_to_date - positions.credited_to_date - positions.paid_to_date + coalesce(receivables.receivable, 0)', 'positions.minor_digits') }}
        as receivable,
    {{ from_minor('positions.refund_liability', 'positions.minor_digits') }} as refund_liability,
    positions.currency
from positions
inner join contracts
    on
        positions.tenant_id = contracts.tenant_id
        and positions.contract_id = contracts.contract_id
left join receivables
    on
        positions.tenant_id = receivables.tenant_id
        and positions.contract_id = receivables.contract_id
        and positions.as_of = receivables.as_of
