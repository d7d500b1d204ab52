-- The allowance for bad debt at the end of every complete month since something was owed; nothing where nothing is open.
{{ config(materialized='view') }}
with

tenants as (

    select
        tenant_id,
        {{ local_date('billing_as_of', 'timezone') }} as today
    from {{ ref('stg_ratehouse__tenants') }}

),

allowances as (

    select
        tenant_id,
        currency,
        as_of,
        sum(allowance) as allowance
    from {{ ref('receivable_aging') }}
    group by tenant_id, currency, as_of

),

months as (

    select
        firsts.tenant_id,
        firsts.currency,
        last_day(cast(unnest(generate_series(
            cast(date_trunc('month', firsts.as_of) as timestamp),
            cast(date_trunc('month', tenants.today + 1) as timestamp) - to_days(1),
            to_months(1)
        )) as date)) as as_of
    from (
        select
            tenant_id,
            currency,
            min(as_of) as as_of
        from allowances
        group by tenant_id, currency
    ) as firsts
    inner join tenants on firsts.tenant_id = tenants.tenant_id

)

select
    months.tenant_id,
    months.currency,
    months.as_of,
    cast(coalesce(allowances.allowance, 0) as decimal(20, 4)) as allowance
from months
left join allowances
    on
        months.tenant_id = allowances.tenant_id
        and months.currency = allowances.currency
        and months.as_of = allowances.as_of
