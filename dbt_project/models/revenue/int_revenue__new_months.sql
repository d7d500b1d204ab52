-- The months that were completed since the tables of contracts were made. Of a contract that nothing happened to, they are as the last one then.
-- Told in every build that tells what changed: carried twice, a month would be that of before also where it was made since.
-- depends_on: {{ ref('int_revenue__changed_contracts') }}
{{ config(tags=['marks']) }}
with

tenants as (

    select
        tenant_id,
        cast(date_trunc('month', {{ local_date('billing_as_of', 'timezone') }}) as date) as reported_before
    from {{ ref('stg_ratehouse__tenants') }}

),

made as (

    {% if contracts_were_made() -%}
    select
        tenant_id,
        any_value(reported_before) as reported_before
    from {{ ref_of('int_revenue__made_contracts') }}
    group by tenant_id
    {%- else -%}
    select * from tenants
    where false
    {%- endif %}

),

months as (

    select
        made.tenant_id,
        strftime(made.reported_before - 1, '%Y-%m') as last_period,
        cast(unnest(generate_series(
            cast(made.reported_before as timestamp), cast(tenants.reported_before as timestamp) - to_days(1), to_months(1)
        )) as date) as month_start
    from made
    inner join tenants on made.tenant_id = tenants.tenant_id

)

select
    tenant_id,
    last_period,
    month_start,
    strftime(month_start, '%Y-%m') as period,
    last_day(month_start) as as_of
from months
