-- Every contract at every month end, in minor units: the movements of the month and the totals to date.
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
        sum({{ name }}) over to_date as {{ name }}_to_date,
        {%- endfor %}
        coalesce(lag(refund_liability) over to_date, 0) as opening_refund_liability
    from movements
    window to_date as (partition by tenant_id, contract_id order by as_of)

),

-- The customer may still walk away: a bill counts only as far as it is paid or performed (606-10-55-284).
unconditional as (

    select
        totals.*,
        contracts.currency,
        contracts.minor_digits,
        case
            when contracts.cancellable then least(totals.invoiced_to_date, greatest(totals.paid_to_date, totals.recognised_to_date))
            else totals.invoiced_to_date
        end as billed_to_date,
        case
            when contracts.cancellable then least(
                totals.invoiced_to_date - totals.invoiced,
                greatest(totals.paid_to_date - totals.paid, totals.recognised_to_date - totals.recognised)
            )
            else totals.invoiced_to_date - totals.invoiced
        end as opening_billed
    from totals
    inner join contracts
        on
            totals.tenant_id = contracts.tenant_id
            and totals.contract_id = contracts.contract_id

),

positions as (

    select
        *,
        billed_to_date - opening_billed as billed,
        billed_to_date - credited_to_date - refunded_to_date - recognised_to_date - refund_liability + interest_to_date as net_position
    from unconditional

)

select
    tenant_id,
    contract_id,
    period,
    as_of,
    currency,
    minor_digits,
    billed,
    credited,
    refunded,
    recognised,
    interest,
    refund_liability,
    documented_to_date,
    billed_to_date,
    credited_to_date,
    refunded_to_date,
    paid_to_date,
    recognised_to_date,
    net_position,
    net_position - (billed - credited - refunded - recognised - (refund_liability - opening_refund_liability) + interest) as opening_position
from positions
