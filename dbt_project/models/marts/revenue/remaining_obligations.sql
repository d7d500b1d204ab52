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
        {%- for name, months in [('a_year', 12), ('two_years', 24)] %}
        schedules.recognised_in_{{ name }} - schedules.recognised_to_date
        + case when schedules.recognised_in_{{ name }} = schedules.allocated then coalesce(financing.allocated - financing.recognised_to_date, 0) else 0 end
            as remaining_{{ months }}_months{{ ',' if not loop.last }}
        {%- endfor %}
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
        sum(remaining_12_months) as remaining_12_months,
        sum(remaining_24_months) as remaining_24_months
    from (
        select
            tenant_id,
            contract_id,
            obligation_id,
            period,
            as_of,
            recognise,
            allocated - recognised_to_date as remaining,
            recognised_in_a_year - recognised_to_date as remaining_12_months,
            recognised_in_two_years - recognised_to_date as remaining_24_months
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
            amount_12_months as remaining_12_months,
            amount_24_months as remaining_24_months
        from {{ ref('int_revenue__commitments') }}
    ) as items
    group by tenant_id, contract_id, obligation_id, period, as_of

),

contracts as (

    select * from {{ ref('int_revenue__contracts') }}

),

-- What of a contract's price is billed already is shared over what remains of it, cumulatively in the order of the obligations.
deferred as (

    select
        shares.tenant_id,
        shares.contract_id,
        shares.obligation_id,
        shares.period,
        least(balances.net_position, shares.total) as deferred,
        shares.remaining,
        shares.so_far,
        shares.total
    from (
        select
            tenant_id,
            contract_id,
            obligation_id,
            period,
            cast(remaining as hugeint) as remaining,
            cast(sum(remaining) over (partition by tenant_id, contract_id, period order by obligation_id) as hugeint) as so_far,
            cast(sum(remaining) over (partition by tenant_id, contract_id, period) as hugeint) as total
        from schedules
        where remaining > 0
    ) as shares
    inner join {{ ref('int_revenue__balances') }} as balances
        on
            shares.tenant_id = balances.tenant_id
            and shares.contract_id = balances.contract_id
            and shares.period = balances.period
            and balances.net_position > 0

)

select
    schedules.tenant_id,
    schedules.contract_id,
    schedules.obligation_id,
    contracts.customer_id,
    schedules.period,
    {{ from_minor('schedules.remaining', 'contracts.minor_digits') }} as rpo,
    {{ from_minor('schedules.remaining_12_months', 'contracts.minor_digits') }} as rpo_12_months,
    {{ from_minor('schedules.remaining_24_months - schedules.remaining_12_months', 'contracts.minor_digits') }} as rpo_13_24_months,
    {{ from_minor(
        'cast(coalesce(' ~ divide_half_up('(deferred.deferred * deferred.so_far)', 'deferred.total') ~ ' - '
        ~ divide_half_up('(deferred.deferred * (deferred.so_far - deferred.remaining))', 'deferred.total') ~ ', 0) as hugeint)',
        'contracts.minor_digits'
    ) }} as rpo_deferred,
    case when schedules.recognise = 'as_invoiced' then 'right_to_invoice' end as excluded_reason,
    contracts.currency
from schedules
inner join contracts
    on
        schedules.tenant_id = contracts.tenant_id
        and schedules.contract_id = contracts.contract_id
left join deferred
    on
        schedules.tenant_id = deferred.tenant_id
        and schedules.contract_id = deferred.contract_id
        and schedules.obligation_id = deferred.obligation_id
        and schedules.period = deferred.period
