-- As known by known_as_of. Of two publishers of one day's rate the first by name counts.
with

fx_rates as (

    select * from {{ source('raw', 'fx_rates') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

ranked as (

    select
        fx_rates.*,
        row_number() over (
            partition by fx_rates.tenant_id, fx_rates.base, fx_rates.quote, fx_rates.rate_on
            order by fx_rates.source, fx_rates.recorded_at desc, fx_rates.batch_id desc
        ) as recency
    from fx_rates
    inner join clocks on fx_rates.tenant_id = clocks.tenant_id
    where fx_rates.recorded_at <= clocks.known_as_of

)

select
    tenant_id,
    base,
    quote,
    rate_on,
    rate,
    source
from ranked
where recency = 1
