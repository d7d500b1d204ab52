-- Every contract at every month end as it is derived now, in minor units: totals to date. What closed months have been posted with is in int_revenue__balances.
-- depends_on: {{ ref('int_revenue__changed_contracts') }}
-- depends_on: {{ ref('int_revenue__new_months') }}
{{ config(materialized='by_contract', carried={'period': 'new_months.period', 'as_of': 'new_months.as_of', 'interest': '0'}) }}
with

month_ends as (

    select * from {{ ref('int_revenue__month_ends') }}

),

contracts as (

    select * from {{ ref('int_revenue__contracts') }}

),

billing as (

    select
        tenant_id,
        contract_id,
        strftime(posted_on, '%Y-%m') as period,
        coalesce(sum(case type when 'billed' then amount when 'voided' then -amount end), 0) as invoiced,
        coalesce(sum(case type when 'billed' then amount when 'voided' then -amount end) filter (where invoice_id is not null), 0) as documented,
        coalesce(sum(amount) filter (where type = 'credit'), 0) as credited,
        coalesce(sum(amount) filter (where type = 'refund'), 0) as refunded,
        coalesce(sum(amount) filter (where type = 'paid'), 0) as paid
    from {{ ref('int_revenue__billing') }}
    group by tenant_id, contract_id, strftime(posted_on, '%Y-%m')

),

recognised as (

    select
        tenant_id,
        contract_id,
        posting_period as period,
        sum(recognised) as recognised
    from {{ ref('int_revenue__recognised') }}
    group by tenant_id, contract_id, posting_period

),

refund_liabilities as (

    select * from {{ ref('int_revenue__refund_liabilities') }}

),

financing as (

    select
        tenant_id,
        contract_id,
        as_of,
        cast(sum(interest) as hugeint) as interest
    from {{ ref('int_revenue__financing') }}
    group by tenant_id, contract_id, as_of

),

movements as (

    select
        month_ends.tenant_id,
        month_ends.contract_id,
        month_ends.period,
        month_ends.as_of,
        coalesce(billing.invoiced, 0) as invoiced,
        coalesce(billing.documented, 0) as documented,
        coalesce(billing.credited, 0) as credited,
        coalesce(billing.refunded, 0) as refunded,
        coalesce(billing.paid, 0) as paid,
        coalesce(recognised.recognised, 0) as recognised,
        coalesce(financing.interest, 0) as interest,
        coalesce(refund_liabilities.refund_liability, 0) as refund_liability
    from month_ends
    left join billing
        on
            month_ends.tenant_id = billing.tenant_id
            and month_ends.contract_id = billing.contract_id
            and month_ends.period = billing.period
    left join recognised
        on
            month_ends.tenant_id = recognised.tenant_id
            and month_ends.contract_id = recognised.contract_id
            and month_ends.period = recognised.period
    left join refund_liabilities
        on
            month_ends.tenant_id = refund_liabilities.tenant_id
            and month_ends.contract_id = refund_liabilities.contract_id
            and month_ends.as_of = refund_liabilities.as_of
    left join financing
        on
            month_ends.tenant_id = financing.tenant_id
            and month_ends.contract_id = financing.contract_id
            and month_ends.as_of = financing.as_of

),

totals as (

    select
        *,
        {%- for name in ('invoiced', 'documented', 'credited', 'refunded', 'paid', 'recognised', 'interest') %}
        sum({{ name }}) over to_date as {{ name }}_to_date{{ ',' if not loop.last }}
        {%- endfor %}
    from movements
    window to_date as (partition by tenant_id, contract_id order by as_of)

)

select
    totals.tenant_id,
    totals.contract_id,
    totals.period,
    totals.as_of,
    totals.interest,
    totals.refund_liability,
    totals.documented_to_date,
    -- The customer may still walk away: a bill counts only as far as it is paid or performed (606-10-55-284).
    case
        when contracts.cancellable then least(totals.invoiced_to_date, greatest(totals.paid_to_date, totals.recognised_to_date))
        else totals.invoiced_to_date
    end as billed_to_date,
    totals.credited_to_date,
    totals.refunded_to_date,
    totals.paid_to_date,
    totals.recognised_to_date,
    totals.interest_to_date
from totals
inner join contracts
    on
        totals.tenant_id = contracts.tenant_id
        and totals.contract_id = contracts.contract_id
