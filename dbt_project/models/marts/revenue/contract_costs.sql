with

costs as (

    select * from {{ ref('int_revenue__costs') }}

)

select
    tenant_id,
    contract_id,
    cost_id,
    kind,
    period,
    {{ from_minor('closing - capitalised + amortised', 'minor_digits') }} as opening,
    {{ from_minor('capitalised', 'minor_digits') }} as capitalised,
    {{ from_minor('-amortised', 'minor_digits') }} as amortised,
    {{ from_minor('-impaired', 'minor_digits') }} as impaired,
    {{ from_minor('closing', 'minor_digits') }} as closing,
    currency
from costs
