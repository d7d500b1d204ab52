-- Identity 6. Inside a series: numbers from 1 without a gap or a duplicate, no issue date before that of the number before, and each
-- document carries the hash of the one before it. Fails when a document was taken out, put in or changed after it was issued.
with

chained as (

    select
        tenant_id,
        series,
        seq,
        invoice_number,
        issued_on,
        previous_hash,
        row_number() over same_series as expected_seq,
        lag(issued_on) over same_series as previous_issued_on,
        coalesce(lag(content_hash) over same_series, '') as expected_previous_hash
    from {{ ref('invoices') }}
    where status <> 'draft'
    window same_series as (partition by tenant_id, series order by seq, invoice_id)

)

select *
from chained
where
    seq <> expected_seq
    or issued_on < previous_issued_on
    or previous_hash <> expected_previous_hash
