-- The net position (liability less asset) from month end to month end; a movement that lowers it is negative. Revenue carries the
-- change of the refund liability that it was reduced by.
with

positions as (

    select * from {{ ref('int_revenue__positions') }}

)

select
    tenant_id,
    contract_id,
    period,
    {{ from_minor('opening_position', 'minor_digits') }} as opening,
    {{ from_minor('billed', 'minor_digits') }} as billed,
    {{ from_minor('net_position - opening_position - billed + credited + refunded - interest', 'minor_digits') }} as recognised,
    cast(0 as decimal(20, 4)) as modified,
    {{ from_minor('-credited', 'minor_digits') }} as credited,
    {{ from_minor('-refunded', 'minor_digits') }} as refunded,
    {{ from_minor('interest', 'minor_digits') }} as interest,
    cast(0 as decimal(20, 4)) as fx,
    {{ from_minor('net_position', 'minor_digits') }} as closing,
    currency
from positions
