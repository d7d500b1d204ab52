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
    where progress.recognise = 'as_invoiced'
    group by progress.tenant_id, progress.contract_id, progress.obligation_id, progress.as_of

),

priced as (

    select
        progress.*,
        coalesce(allocations.allocated, 0) as allocated,
        coalesce(invoiced.invoiced, 0) as invoiced
    from progress
    left join allocations
        on
            progress.tenant_id = allocations.tenant_id
            and progress.contract_id = allocations.contract_id
            and progress.obligation_id = allocations.obligation_id
            and progress.as_of = allocations.as_of
    left join invoiced
        on
            progress.tenant_id = invoiced.tenant_id
            and progress.contract_id = invoiced.contract_id
            and progress.obligation_id = invoiced.obligation_id
            and progress.as_of = invoiced.as_of

),

to_date as (

    select
        * exclude (allocated, numerator, denominator),
        allocated + invoiced as allocated,
        case
            when recognise = 'as_invoiced' then allocated + invoiced
            else {{ divide_half_up('(allocated * numerator)', 'denominator') }}
        end as recognised_to_date,
        case
            when recognise = 'as_invoiced' then allocated + invoiced
            else {{ divide_half_up('(allocated * numerator_in_a_year)', 'denominator') }}
        end as recognised_in_a_year,
        -- Performance of earlier months at the price of today (606-10-50-12A).
        case
            when recognise = 'as_invoiced' then
                coalesce(lag(allocated + invoiced) over months, 0)
                + {{ divide_half_up('((allocated - coalesce(lag(allocated) over months, 0)) * coalesce(lag(invoiced) over months, 0))', 'greatest(invoiced, 1)') }}
            else {{ divide_half_up('(allocated * coalesce(lag(numerator) over months, 0))', 'coalesce(lag(denominator) over months, 1)') }}
        end as performed_before
    from priced
    window months as (partition by tenant_id, contract_id, obligation_id order by as_of)

)

select
    * exclude (performed_before),
    recognised_to_date - coalesce(lag(recognised_to_date) over months, 0) as recognised,
    performed_before - coalesce(lag(recognised_to_date) over months, 0) as prior_performance
from to_date
window months as (partition by tenant_id, contract_id, obligation_id order by as_of)
