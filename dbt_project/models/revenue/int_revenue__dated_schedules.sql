-- Prices that belong to the service of certain days alone (606-10-32-40): recognised over those days, and in the month in which
-- they were agreed where that is later.
with

month_ends as (

    select * from {{ ref('int_revenue__month_ends') }}

),

changes as (

    select * from {{ ref('int_revenue__price_changes') }}
    where is_dated

),

pools as (

    select
        changes.tenant_id,
        changes.contract_id,
        month_ends.as_of,
        month_ends.month_start,
        month_ends.period,
        changes.change_no as pool,
        changes.price_group,
        changes.obligation_ids,
        changes.kind,
        changes.variable_id,
        changes.amount,
        changes.posted_on,
        changes.start_on,
        changes.end_on
    from month_ends
    inner join changes
        on
            month_ends.tenant_id = changes.tenant_id
            and month_ends.contract_id = changes.contract_id
            and month_ends.as_of >= changes.start_on

),

{{ split_over_obligations('pools') }},

to_date as (

    select
        *,
        {{ divide_half_up('(allocated * ' ~ served('start_on', 'end_on', 'as_of + 1', 'recognise') ~ ')', served('start_on', 'end_on', 'end_on', 'recognise')) }} as recognised_to_date
    from shares

)

select
    tenant_id,
    contract_id,
    obligation_id,
    pool as change_no,
    kind,
    variable_id,
    recognise,
    as_of,
    period,
    strftime(greatest(month_start, posted_on), '%Y-%m') as posting_period,
    allocated,
    recognised_to_date - coalesce(lag(recognised_to_date) over (partition by tenant_id, contract_id, obligation_id, pool order by as_of), 0) as recognised
from to_date
