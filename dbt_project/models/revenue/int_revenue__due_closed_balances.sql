-- What the due closes freeze of contracts: where they stand at the ends of their months, and of months before them that were never closed.
with

due as (

    select * from {{ ref('int_revenue__due_closes') }}
    where refused_by is null

),

balances as (

    select * from {{ ref('int_revenue__balances') }}

),

closed as (

    select * from {{ ref('int_revenue__last_closes') }}

)

select
    balances.tenant_id,
    min(due.period) as closed_period,
    balances.contract_id,
    any_value(balances.customer_id) as customer_id,
    balances.period,
    {%- for name in ('billed', 'credited', 'refunded', 'recognised', 'interest') %}
    {{ from_minor('any_value(balances.' ~ name ~ '_to_date)', 'any_value(balances.minor_digits)') }} as {{ name }},
    {%- endfor %}
    any_value(marts.refund_liability) as refund_liability,
    any_value(marts.receivable) as receivable,
    any_value(marts.liability_current) as liability_current,
    any_value(balances.currency) as currency
from due
inner join balances
    on
        due.tenant_id = balances.tenant_id
        and due.period >= balances.period
inner join {{ ref('contract_balances') }} as marts
    on
        balances.tenant_id = marts.tenant_id
        and balances.contract_id = marts.contract_id
        and balances.period = marts.period
left join closed on due.tenant_id = closed.tenant_id
where closed.last_period is null or balances.period > closed.last_period
group by balances.tenant_id, balances.contract_id, balances.period
