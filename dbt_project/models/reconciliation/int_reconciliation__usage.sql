-- Usage that is not on an invoice and why: what waits for a price.
with

unpriced as (

    select * from {{ ref('int_rating__unpriced') }}

),

slices as (

    select * from {{ ref('int_proration__slices') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

)

select
    slices.tenant_id,
    'usage' as area,
    unpriced.status,
    slices.subscription_id || '/' || slices.charge
    -- One dimension is named by its value alone, several by their text.
    || case
        when unpriced.status <> 'unmatched_price' or unpriced.dimension_values = '' then ''
        when len(json_keys(nullif(unpriced.dimension_values, ''))) = 1
            then '/' || coalesce(json_extract_string(nullif(unpriced.dimension_values, ''), '$."' || json_keys(nullif(unpriced.dimension_values, ''))[1] || '"'), 'null')
        else '/' || unpriced.dimension_values
    end as reference,
    slices.subscription_id,
    slices.charge,
    slices.service_start,
    slices.service_end,
    cast(null as decimal(20, 4)) as expected_amount,
    cast(null as decimal(20, 4)) as actual_amount,
    cast(null as decimal(20, 4)) as difference,
    slices.currency,
    cast(datediff('day', slices.service_end, {{ local_date('tenants.billing_as_of', 'slices.timezone') }}) as integer) as age_days
from unpriced
inner join slices on unpriced.slice_id = slices.slice_id
inner join tenants on slices.tenant_id = tenants.tenant_id
