-- Proof 3, of the bank. Per tenant and currency: Σ of the statement's lines = Σ of what they should hold + the differences that reconciliation
-- names; and every line is in it once. `residual` is what nobody has named, signed.
with

sides as (

    select
        tenant_id,
        currency,
        1 as lines,
        amount as on_statement,
        0 as items,
        0 as expected,
        0 as named
    from {{ ref('stg_ratehouse__bank_lines') }}
    union all
    select
        tenant_id,
        currency,
        0 as lines,
        0 as on_statement,
        1 as items,
        expected_amount as expected,
        difference as named
    from {{ ref('reconciliation_items') }}
    where area = 'bank' and status not in ('missing_bank_line', 'missing_statement')

)

select
    tenant_id,
    currency,
    sum(on_statement) as on_statement,
    sum(expected) as expected,
    sum(named) as named,
    sum(on_statement) - sum(expected) - sum(named) as residual
from sides
group by tenant_id, currency
having sum(on_statement) - sum(expected) - sum(named) <> 0 or sum(lines) <> sum(items)
