-- The journal in minor units: closed months as they were posted, the others as they are derived. Where closed months would be derived otherwise now,
-- whatever the reason, the difference is posted on the first open day with its month of performance: what should be posted less what was.
-- Every entry that is compared balances, and has one owner and one month of performance, so each correction balances.
with

derived as (

    select * from {{ ref('int_accounting__functional_lines') }}
    union all by name
    select * from {{ ref('int_accounting__revaluations') }}

),

closed as (

    select * from {{ ref('int_revenue__last_closes') }}

),

posted as (

    select
        journal.tenant_id,
        journal.entry_id,
        journal.line_no,
        journal.kind,
        journal.owner,
        journal.posted_on,
        journal.performance_period,
        journal.account_role,
        journal.account,
        journal.currency,
        journal.sub_ledger,
        journal.contract_id,
        journal.invoice_id,
        currencies.minor_digits,
        journal.functional_currency,
        functional.minor_digits as functional_digits,
        cast({{ to_minor('journal.debit - journal.credit', 'currencies.minor_digits') }} as hugeint) as amount,
        cast({{ to_minor('journal.functional_debit - journal.functional_credit', 'functional.minor_digits') }} as hugeint) as functional_amount
    from {{ ref('stg_ratehouse__closed_journal') }} as journal
    inner join {{ ref('currencies') }} as currencies on journal.currency = currencies.currency
    inner join {{ ref('currencies') }} as functional on journal.functional_currency = functional.currency

),

compared as (

    select
        derived.*,
        derived.amount as difference,
        derived.functional_amount as functional_difference
    from derived
    inner join closed
        on
            derived.tenant_id = closed.tenant_id
            and derived.posted_on < closed.opens_on
    union all by name
    select
        * exclude (entry_id, line_no, account),
        -amount as difference,
        -functional_amount as functional_difference
    from posted

),

corrections as (

    select
        compared.tenant_id,
        'correction' as kind,
        compared.owner,
        any_value(closed.opens_on) as posted_on,
        compared.performance_period,
        compared.account_role,
        compared.currency,
        compared.sub_ledger,
        compared.contract_id,
        case when count(distinct compared.invoice_id) = 1 then min(compared.invoice_id) end as invoice_id,
        any_value(compared.minor_digits) as minor_digits,
        any_value(compared.functional_currency) as functional_currency,
        any_value(compared.functional_digits) as functional_digits,
        cast(sum(compared.difference) as hugeint) as amount,
        cast(case when count(compared.functional_difference) = count(*) then sum(compared.functional_difference) end as hugeint) as functional_amount
    from compared
    inner join closed on compared.tenant_id = closed.tenant_id
    group by
        compared.tenant_id, compared.owner, compared.performance_period, compared.account_role, compared.currency, compared.sub_ledger, compared.contract_id
    having sum(compared.difference) <> 0 or sum(compared.functional_difference) <> 0

)

select * from posted
union all by name
select derived.*
from derived
left join closed on derived.tenant_id = closed.tenant_id
where closed.opens_on is null or derived.posted_on >= closed.opens_on
union all by name
select * from corrections
