-- Every part of an entry that was ever tried, with its state: a fold over the facts in `journal_postings`. One row per posting.
with

history as (

    select
        tenant_id,
        posting_id,
        arg_max(event, (attempt, ranks.rank, occurred_at)) as last_event,
        max(attempt) as attempt,
        max(occurred_at) as last_at,
        count(*) filter (event = 'voided') as voids,
        arg_max(external_id, (attempt, ranks.rank)) filter (event = 'posted') as external_id,
        arg_max(detail, (attempt, ranks.rank)) filter (detail is not null) as detail,
        arg_max(struct_pack(target, period, entry_id, number, sent_hash, sent), attempt) filter (event = 'claimed') as claim
    from journal_postings
    inner join (values ('claimed', 1), ('deferred', 2), ('refused', 2), ('posted', 2), ('voided', 3)) as ranks (event, rank)
        using (event)
    group by all

)

select
    tenant_id,
    posting_id,
    case last_event when 'claimed' then 'unknown' when 'deferred' then 'waiting' when 'voided' then 'waiting' else last_event end as state,
    claim.target as target,
    claim.period as period,
    claim.entry_id as entry_id,
    claim.number as number,
    claim.sent_hash as sent_hash,
    claim.sent as sent,
    attempt,
    voids,
    last_at,
    case when last_event = 'posted' then external_id end as external_id,
    detail
from history
order by tenant_id, target, period, number
