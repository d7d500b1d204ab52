-- What of the journal of each closed month is in the accounting systems that the tenant posts to: an entry is posted when each of its parts is.
with

entries as (

    select
        tenant_id,
        period,
        entry_id,
        any_value(functional_currency) as currency,
        sum(functional_debit) as amount
    from {{ ref('journal_entries') }}
    group by tenant_id, period, entry_id

),

periods as (

    select * from {{ ref('accounting_periods') }}
    where status = 'closed'

),

postings as (

    select * from {{ ref('stg_ratehouse__journal_postings') }}

),

targets as (

    select distinct
        tenant_id,
        target
    from postings

),

parts as (

    select
        tenant_id,
        target,
        entry_id,
        count(*) as parts,
        count(*) filter (where event = 'posted') as posted_parts,
        count(*) filter (where event = 'refused') as refused_parts,
        min(external_id) as first_external_id,
        max(last_at) as last_at
    from postings
    group by tenant_id, target, entry_id

)

select
    periods.tenant_id,
    targets.target,
    periods.period,
    any_value(periods.content_hash) as batch_hash,
    entries.currency,
    count(*) as entries,
    count(*) filter (where coalesce(parts.parts = parts.posted_parts, false)) as posted_entries,
    count(*) filter (where coalesce(parts.parts <> parts.posted_parts, true)) as unposted_entries,
    count(*) filter (where parts.refused_parts > 0) as refused_entries,
    cast(sum(entries.amount) as decimal(20, 4)) as amount,
    cast(coalesce(sum(entries.amount) filter (where coalesce(parts.parts <> parts.posted_parts, true)), 0) as decimal(20, 4)) as unposted_amount,
    cast(sum(coalesce(parts.posted_parts, 0)) as bigint) as documents,
    min(parts.first_external_id) as first_external_id,
    max(parts.last_at) as last_at
from periods
inner join targets on periods.tenant_id = targets.tenant_id
inner join entries
    on
        periods.tenant_id = entries.tenant_id
        and periods.period = entries.period
left join parts
    on
        targets.tenant_id = parts.tenant_id
        and targets.target = parts.target
        and entries.entry_id = parts.entry_id
where entries.amount <> 0
group by periods.tenant_id, targets.target, periods.period, entries.currency
