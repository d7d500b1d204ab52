-- For meters whose level carries into the next period: the running total and the last value after every state, over all
-- groups together (dimension_values '') and for each group.
with

states as (

    select states.*
    from {{ ref('int_metering__states') }} as states
    inner join {{ ref('int_metering__meters') }} as meters
        on
            states.tenant_id = meters.tenant_id
            and states.price_book = meters.price_book
            and states.meter = meters.meter
    where meters.persistent

),

grouped as (

    select * replace ('' as dimension_values)
    from states
    union all
    select *
    from states
    where dimension_values <> ''

)

select
    tenant_id,
    subscription_id,
    meter,
    amount_property,
    dimension_values,
    item,
    latest_at,
    latest_order,
    latest_operation,
    sum(value_sum) over history as level,
    last_value(latest_value ignore nulls) over history as latest_value
from grouped
window history as (
    partition by tenant_id, subscription_id, meter, amount_property, dimension_values
    order by latest_order
    rows between unbounded preceding and current row
)
