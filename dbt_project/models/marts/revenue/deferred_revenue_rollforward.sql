-- The net position (liability less asset) from month end to month end; a movement that lowers it is negative. Revenue carries the
-- change of the refund liability that it was reduced by.
with

positions as (

    select * from {{ ref('int_revenue__positions') }}

),

contracts as (

    select * from {{ ref('int_revenue__contracts') }}

)

select
    positions.tenant_id,
    positions.contract_id,
    contracts.customer_id,
    positions.period,
    {{ from_minor('positions.opening_position', 'positions.minor_digits') }} as opening,
    {{ from_minor('positions.billed', 'positions.minor_digits') }} as billed,
    {{ from_minor('positions.net_position - positions.opening_position - positions.billed + positions.credited + positions.refunded - positions.interest', 'positions.minor_digits') }} as recognised,
    cast(0 as decimal(20, 4)) as modified,
    {{ from_minor('-positions.credited', 'positions.minor_digits') }} as credited,
    {{ from_minor('-positions.refunded', 'positions.minor_digits') }} as refunded,
    {{ from_minor('positions.interest', 'positions.minor_digits') }} as interest,
    cast(0 as decimal(20, 4)) as fx,
    {{ from_minor('positions.net_position', 'positions.minor_digits') }} as closing,
    positions.currency
from positions
inner join contracts
    on
        positions.tenant_id = contracts.tenant_id
        and positions.contract_id = contracts.contract_id
