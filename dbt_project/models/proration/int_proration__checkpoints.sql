-- Usage slices as they stood at every month end inside them, so that usage is rated as of a month end too (revenue as invoiced). The
-- quantity is what was measured by then; a minimum is owed at the slice's end only.
with

slices as (

    select * from {{ ref('int_proration__slices') }}
    where type = 'usage' and is_begun

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

months as (

    select
        slices.*,
        cast(unnest(generate_series(
            cast(date_trunc('month', slices.service_start) + to_months(1) as timestamp),
            cast(least(slices.service_end - 1, {{ local_date('tenants.billing_as_of', 'slices.timezone') }}) as timestamp),
            to_months(1)
        )) as date) as checkpoint_on
    from slices
    inner join tenants on slices.tenant_id = tenants.tenant_id

)

select
    * replace (
        md5(concat_ws('|', slice_id, checkpoint_on)) as slice_id,
        md5(concat_ws('|', slice_id, checkpoint_on)) as pricing_key,
        checkpoint_on as service_end,
        checkpoint_on - 1 as last_day,
        cast(null as decimal(28, 12)) as minimum
    ),
    slice_id as checked_slice_id
from months
