-- Service spans with what their charge says of itself.
{{ config(materialized='view') }}

select
    spans.*,
    charges.* exclude (charge_key, position, description, prices, price_factor),
    charges.position as charge_position,
    charges.description as charge_description
from {{ ref('int_proration__service_spans') }} as spans
inner join {{ ref('int_rating__charges') }} as charges on spans.charge_key = charges.charge_key
