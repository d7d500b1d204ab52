-- Recognised to date per obligation and month end, in minor units: price of the day × progress, the only rounding (cumulative,
-- so the months of an obligation always add up to its price). What is invoiced by use is performed when it is billed (the
-- right-to-invoice expedient, 606-10-55-18), and carries the variable components promised for it.
with

progress as (

    select * from {{ ref('int_revenue__progress') }}

),

allocations as (

    select * from {{ ref('int_revenue__allocations') }}

),

billed as (

    select
        tenant_id,
        contract_id,
        obligation_id,
        posted_on,
        amount
    from {{ ref('int_revenue__billing') }}
    where type = 'billed'

),

invoiced as (

    select
        progress.tenant_id,
        progress.contract_id,
        progress.obligation_id,
        progress.as_of,
        sum(billed.amount) as invoiced
    from progress
    inner join billed
        on
            progress.tenant_id = billed.tenant_id
            and progress.contract_id = billed.contract_id
            and progress.obligation_id = billed.obligation_id
            and progress.as_of >= billed.posted_on
    where progress.recognise = 'as_invoiced' and progress.is_last_epoch
    group by progress.tenant_id, progress.contract_id, progress.obligation_id, progress.as_of

),

-- The progress of a month end as the month after it looks back on it.
looked_back as (

    select
        tenant_id,
        contract_id,
        obligation_id,
        cast(month_start + to_months(2) as date) - 1 as as_of,
        epoch,
        is_removed,
        numerator,
        denominator
    from progress
    where is_last_epoch

),

-- Earlier epochs keep what they recognised; the price of the last one is what they left and what was added.
priced as (

    select
        progress.tenant_id,
        progress.contract_id,
        progress.obligation_id,
        progress.period,
        progress.as_of,
        progress.minor_digits,
        any_value(progress.recognise) as recognise,
        cast(sum(case when progress.is_last_epoch then coalesce(allocations.allocated, 0) else coalesce(allocations.recognised, 0) end) as hugeint) as allocated,
        cast(sum(coalesce(allocations.recognised, 0)) as hugeint) as recognised_to_date,
        cast(sum(case
            when progress.is_last_epoch then {{ divide_half_up('(coalesce(allocations.allocated, 0) * progress.numerator_in_a_year)', 'progress.denominator') }}
            else coalesce(allocations.recognised, 0)
        end) as hugeint) as recognised_in_a_year,
        cast(sum(case
            when progress.is_last_epoch then {{ divide_half_up('(coalesce(allocations.allocated, 0) * progress.numerator_in_two_years)', 'progress.denominator') }}
            else coalesce(allocations.recognised, 0)
        end) as hugeint) as recognised_in_two_years,
        -- What expired unredeemed.
        cast(sum(coalesce(
            allocations.recognised - {{ divide_half_up('(allocations.allocated * progress.numerator_without_breakage)', 'progress.denominator') }}, 0
        )) as hugeint) as breakage_to_date,
        -- Performance of earlier months at the price of today (606-10-50-12A).
        cast(sum(case
            when progress.epoch < looked_back.epoch then coalesce(allocations.recognised, 0)
            -- Of what was removed since, in parts of what was transferred by then.
            when progress.epoch = looked_back.epoch and progress.is_removed and not looked_back.is_removed
                then {{ divide_half_up('(coalesce(allocations.allocated, 0) * looked_back.numerator * progress.kept_denominator)', '(looked_back.denominator * greatest(progress.kept_numerator, 1))') }}
            when progress.epoch = looked_back.epoch
                then {{ divide_half_up('(coalesce(allocations.allocated, 0) * looked_back.numerator)', 'looked_back.denominator') }}
            else 0
        end) as hugeint) as performed_before
    from progress
    left join allocations
        on
            progress.tenant_id = allocations.tenant_id
            and progress.contract_id = allocations.contract_id
            and progress.obligation_id = allocations.obligation_id
            and progress.as_of = allocations.as_of
            and progress.epoch = allocations.epoch
    left join looked_back
        on
            progress.tenant_id = looked_back.tenant_id
            and progress.contract_id = looked_back.contract_id
            and progress.obligation_id = looked_back.obligation_id
            and progress.as_of = looked_back.as_of
    group by progress.tenant_id, progress.contract_id, progress.obligation_id, progress.period, progress.as_of, progress.minor_digits

),

with_invoices as (

    select
        priced.* exclude (allocated, recognised_to_date, recognised_in_a_year, recognised_in_two_years, breakage_to_date, performed_before),
        priced.allocated + coalesce(invoiced.invoiced, 0) as allocated,
        case when priced.recognise = 'as_invoiced' then priced.allocated + coalesce(invoiced.invoiced, 0) else priced.recognised_to_date end as recognised_to_date,
        case when priced.recognise = 'as_invoiced' then priced.allocated + coalesce(invoiced.invoiced, 0) else priced.recognised_in_a_year end as recognised_in_a_year,
        case when priced.recognise = 'as_invoiced' then priced.allocated + coalesce(invoiced.invoiced, 0) else priced.recognised_in_two_years end as recognised_in_two_years,
        case when priced.recognise = 'usage' then priced.breakage_to_date else 0 end as breakage_to_date,
        case
            when priced.recognise = 'as_invoiced' then
                coalesce(lag(priced.allocated + coalesce(invoiced.invoiced, 0)) over months, 0)
                + {{ divide_half_up('((priced.allocated - coalesce(lag(priced.allocated) over months, 0)) * coalesce(lag(invoiced.invoiced) over months, 0))', 'greatest(coalesce(invoiced.invoiced, 0), 1)') }}
            else priced.performed_before
        end as performed_before
    from priced
    left join invoiced
        on
            priced.tenant_id = invoiced.tenant_id
            and priced.contract_id = invoiced.contract_id
            and priced.obligation_id = invoiced.obligation_id
            and priced.as_of = invoiced.as_of
    window months as (partition by priced.tenant_id, priced.contract_id, priced.obligation_id order by priced.as_of)

)

select
    * exclude (performed_before, breakage_to_date),
    breakage_to_date - coalesce(lag(breakage_to_date) over months, 0) as breakage,
    recognised_to_date - coalesce(lag(recognised_to_date) over months, 0) as recognised,
    performed_before - coalesce(lag(recognised_to_date) over months, 0) as prior_performance
from with_invoices
window months as (partition by tenant_id, contract_id, obligation_id order by as_of)
