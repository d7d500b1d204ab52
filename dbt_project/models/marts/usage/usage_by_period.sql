with

slices as (

    select * from {{ ref('int_metering__measured_slices') }}
    where checkpoint_on is null

),

quantities as (

    select
        slice_id,
        dimension_values,
        sum(quantity) as quantity,
        sum(event_count) as event_count
    from {{ ref('int_metering__quantities') }}
    group by slice_id, dimension_values

),

details as (

    select * from {{ ref('int_proration__slices') }}

)

select
    slices.tenant_id,
    {{ group_id('slices.slice_id', "coalesce(quantities.dimension_values, '')") }} as usage_id,
    details.customer_id,
    slices.subscription_id,
    details.plan,
    details.charge,
    slices.meter,
    slices.aggregation,
    slices.price_book,
    coalesce(quantities.dimension_values, '') as dimensions,
    slices.service_start as period_start,
    slices.service_end as period_end,
    cast(coalesce(quantities.quantity, 0) as decimal(28, 10)) as quantity,
    cast(coalesce(quantities.event_count, 0) as bigint) as event_count
from slices
inner join details on slices.slice_id = details.slice_id
left join quantities on slices.slice_id = quantities.slice_id
