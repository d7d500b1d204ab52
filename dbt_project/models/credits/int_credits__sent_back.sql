-- Money that went back to payers for what credit notes promised; what came again, because its refund failed, is below zero.
{{ config(materialized='view') }}

select
    tenant_id,
    account,
    movement_no,
    note_id,
    payment_id,
    moved_at,
    case kind when 'granted_again' then -amount else amount end as amount
from {{ ref('int_payments__postings') }}
where kind in ('returned_from_grant', 'granted_again')
