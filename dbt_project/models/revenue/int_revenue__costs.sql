-- Costs of obtaining and fulfilling a contract (340-40-35-1): capitalised in the month they are incurred, amortised by months of
-- equal weight until the end of the benefit, by cumulative difference.
with

contracts as (

    select * from {{ ref('int_revenue__contracts') }}

),

costs as (

    select
        tenant_id,
        contract_id,
        unnest({{ json_elements('costs') }}) as document
    from {{ ref('stg_ratehouse__contracts') }}

),

terms as (

    select
        costs.tenant_id,
        costs.contract_id,
        contracts.currency,
        contracts.minor_digits,
        contracts.reported_before,
        {{ json_text('costs.document', 'cost_id') }} as cost_id,
        {{ json_text('costs.document', 'kind') }} as kind,
        {{ to_minor('cast(' ~ json_text('costs.document', 'amount') ~ ' as decimal(38, 12))', 'contracts.minor_digits') }} as amount,
        cast({{ json_text('costs.document', 'incurred_on') }} as date) as incurred_on,
        cast({{ json_text('costs.document', 'start') }} as date) as start_on,
        cast({{ json_text('costs.document', 'end') }} as date) as end_on
    from costs
    inner join contracts
        on
            costs.tenant_id = contracts.tenant_id
            and costs.contract_id = contracts.contract_id
    where coalesce(cast({{ json_text('costs.document', 'capitalise') }} as boolean), true)

),

months as (

    select
        *,
        cast(unnest(generate_series(
            cast(date_trunc('month', incurred_on) as timestamp),
            cast(least(reported_before, end_on) as timestamp) - to_days(1),
            to_months(1)
        )) as date) as month_start
    from terms

),

to_date as (

    select
        *,
        {{ divide_half_up('(amount * ' ~ served('start_on', 'end_on', 'last_day(month_start) + 1', "'ratable_month'") ~ ')', served('start_on', 'end_on', 'end_on', "'ratable_month'")) }} as amortised_to_date
    from months

)

select
    tenant_id,
    contract_id,
    cost_id,
    kind,
    currency,
    minor_digits,
    incurred_on,
    strftime(month_start, '%Y-%m') as period,
    last_day(month_start) as as_of,
    case when month_start = date_trunc('month', incurred_on) then amount else 0 end as capitalised,
    amortised_to_date - coalesce(lag(amortised_to_date) over benefit, 0) as amortised,
    amount - amortised_to_date as closing
from to_date
window benefit as (partition by tenant_id, contract_id, cost_id order by month_start)
