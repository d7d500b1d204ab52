-- What may stay unpaid of an invoice is owed again before anything else at an instant that asks for it, and judged by what is left after it: first the tax that the
-- customer keeps, to the cent or with as much beside it as is given up, then what is given up.
{{ config(materialized='view') }}
with

judgements as (

    select * from {{ ref('int_payments__judgements') }}

)

select
    tenant_id,
    invoice_id,
    'not_tolerated' as kind,
    judged_at as moved_at,
    -1 as phase,
    0 as step,
    'tolerated:' || invoice_id as from_pot,
    'open:' || invoice_id as to_pot,
    cast(null as decimal(20, 4)) as cap,
    cast(null as decimal(20, 4)) as most,
    false as is_whole
from judgements
where tolerance_amount > 0 and is_asked_for
union all
select
    tenant_id,
    invoice_id,
    'not_withheld' as kind,
    judged_at as moved_at,
    -1 as phase,
    1 as step,
    'withheld:' || invoice_id as from_pot,
    'open:' || invoice_id as to_pot,
    null as cap,
    null as most,
    false as is_whole
from judgements
where withholding_amount > 0 and is_asked_for and not is_certified
union all
select
    tenant_id,
    invoice_id,
    'withheld' as kind,
    judged_at as moved_at,
    9 as phase,
    1 as step,
    'open:' || invoice_id as from_pot,
    'withheld:' || invoice_id as to_pot,
    withholding_amount as cap,
    withholding_amount + case when is_tolerated then tolerance_amount else 0 end as most,
    true as is_whole
from judgements
where is_withheld
union all
select
    tenant_id,
    invoice_id,
    'tolerated' as kind,
    judged_at as moved_at,
    9 as phase,
    2 as step,
    'open:' || invoice_id as from_pot,
    'tolerated:' || invoice_id as to_pot,
    null as cap,
    tolerance_amount as most,
    false as is_whole
from judgements
where is_tolerated
