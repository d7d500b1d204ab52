-- Contracts at month ends as the books have them, in minor units: closed months as they were posted, the others as they are derived. So the first open month
-- moves by what closed months turned out different by, as the journal does (int_accounting__journal).
-- depends_on: {{ ref('int_revenue__changed_contracts') }}
-- depends_on: {{ ref('int_revenue__new_months') }}
{{ config(materialized='by_contract', carried={
    'period': 'new_months.period', 'as_of': 'new_months.as_of', 'billed': '0', 'credited': '0', 'refunded': '0', 'recognised': '0', 'interest': '0',
    'opening_position': 'made.net_position'
}) }}
{%- set totals = ('billed', 'credited', 'refunded', 'recognised', 'interest') %}
with

positions as (

    select * from {{ ref('int_revenue__positions') }}

),

contracts as (

    select * from {{ ref('int_revenue__booked_contracts') }}

),

posted as (

    select
        balances.*,
        currencies.minor_digits
    from {{ ref('stg_ratehouse__closed_balances') }} as balances
    inner join {{ ref('currencies') }} as currencies on balances.currency = currencies.currency

),

closed as (

    select
        closes.tenant_id,
        closes.last_period,
        closes.open_period,
        last_day(closes.opens_on) as open_as_of,
        {{ local_date('tenants.billing_as_of', 'tenants.timezone') }} as today
    from {{ ref('int_revenue__last_closes') }} as closes
    inner join {{ ref('stg_ratehouse__tenants') }} as tenants on closes.tenant_id = tenants.tenant_id

),

kept as (

    select
        tenant_id,
        contract_id,
        period,
        last_day(cast(period || '-01' as date)) as as_of,
        {%- for name in totals %}
        cast({{ to_minor(name, 'minor_digits') }} as hugeint) as {{ name }}_to_date,
        {%- endfor %}
        cast({{ to_minor('refund_liability', 'minor_digits') }} as hugeint) as refund_liability
    from posted

),

derived as (

    select
        positions.tenant_id,
        positions.contract_id,
        positions.period,
        positions.as_of,
        {%- for name in totals %}
        positions.{{ name }}_to_date,
        {%- endfor %}
        positions.refund_liability
    from positions
    left join closed on positions.tenant_id = closed.tenant_id
    where closed.last_period is null or positions.period > closed.last_period

),

-- What is not derived any more is taken to nothing in the first open month.
gone as (

    select
        kept.tenant_id,
        kept.contract_id,
        closed.open_period as period,
        closed.open_as_of as as_of,
        {%- for name in totals %}
        cast(0 as hugeint) as {{ name }}_to_date,
        {%- endfor %}
        cast(0 as hugeint) as refund_liability
    from kept
    inner join closed
        on
            kept.tenant_id = closed.tenant_id
            and kept.period = closed.last_period
            and closed.today > closed.open_as_of
    left join {{ ref('int_revenue__contracts') }} as contracts
        on
            kept.tenant_id = contracts.tenant_id
            and kept.contract_id = contracts.contract_id
    where
        contracts.contract_id is null
        and (kept.billed_to_date <> 0 or kept.recognised_to_date <> 0 or kept.interest_to_date <> 0 or kept.refund_liability <> 0)

),

standing as (

    select
        *,
        billed_to_date - credited_to_date - refunded_to_date - recognised_to_date - refund_liability + interest_to_date as net_position
    from (
        select * from kept
        union all by name
        select * from derived
        union all by name
        select * from gone
    ) as every

)

select
    standing.tenant_id,
    standing.contract_id,
    contracts.customer_id,
    standing.period,
    standing.as_of,
    contracts.currency,
    contracts.minor_digits,
    {%- for name in totals %}
    standing.{{ name }}_to_date,
    standing.{{ name }}_to_date - coalesce(lag(standing.{{ name }}_to_date) over months, 0) as {{ name }},
    {%- endfor %}
    standing.refund_liability,
    standing.net_position,
    coalesce(lag(standing.net_position) over months, 0) as opening_position
from standing
inner join contracts
    on
        standing.tenant_id = contracts.tenant_id
        and standing.contract_id = contracts.contract_id
window months as (partition by standing.tenant_id, standing.contract_id order by standing.as_of)
