-- The price not yet recognised (606-10-50-13), and how much of it will be within twelve months.
with

schedules as (

    -- Interest borne so far goes with what it waits for.
    select
        schedules.tenant_id,
        schedules.contract_id,
        schedules.obligation_id,
        schedules.period,
        schedules.as_of,
        schedules.recognise,
        schedules.allocated - schedules.recognised_to_date + coalesce(financing.allocated - financing.recognised_to_date, 0) as remaining,
        schedules.recognised_in_a_year - schedules.recognised_to_date
        + case when schedules.recognised_in_a_year = schedules.allocated then coalesce(financing.allocated - financing.recognised_to_date, 0) else 0 end
            as remaining_12_months
    from {{ ref('int_revenue__schedules') }} as schedules
    left join {{ ref('int_revenue__financing') }} as financing
        on
            schedules.tenant_id = financing.tenant_id
            and schedules.contract_id = financing.contract_id
            and schedules.obligation_id = financing.obligation_id
            and schedules.as_of = financing.as_of
    union all
    select
        tenant_id,
        contract_id,
        obligation_id,
        period,
        as_of,
        min(recognise) as recognise,
        sum(remaining) as remaining,
        sum(remaining_12_months) as remaining_12_months
    from (
        select
            tenant_id,
            contract_id,
            obligation_id,
            period,
            as_of,
            recognise,
            allocated - recognised_to_date as remaining,
            recognised_in_a_year - recognised_to_date as remaining_12_months
        from {{ ref('int_revenue__line_schedules') }}
        union all
        -- What the term still commits to.
        select
            tenant_id,
            contract_id,
            obligation_id,
            period,
            as_of,
            null as recognise,
            amount as remaining,
            amount_12_months as remaining_12_months
        from {{ ref('int_revenue__commitments') }}
    ) as items
    group by tenant_id, contract_id, obligation_id, period, as_of

),

contracts as (

    select * from {{ ref('int_revenue__contracts') }}

)

select
    schedules.tenant_id,
    schedules.contract_id,
    schedules.obligation_id,
    contracts.customer_id,
    schedules.period,
    {{ from_minor('schedules.remaining', 'contracts.minor_digits') }} as rpo,
    {{ from_minor('schedules.remaining_12_months', 'contracts.minor_digits') }} as rpo_12_months,
    case when schedules.recognise = 'as_invoiced' then 'right_to_invoice' end as excluded_reason,
    contracts.currency
from schedules
inner join contracts
    on
        schedules.tenant_id = contracts.tenant_id
        and schedules.contract_id = contracts.contract_id
