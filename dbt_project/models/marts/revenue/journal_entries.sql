-- Double entry, by account roles and the tenant's accounts, in the transaction and the functional currency.
with

lines as (

    select * from {{ ref('int_accounting__journal') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

-- What a close froze keeps its entry, line and account.
identified as (

    select
        lines.* replace (
            coalesce(lines.entry_id, md5(concat_ws('|', lines.tenant_id, lines.kind, lines.owner, lines.posted_on, lines.performance_period))) as entry_id,
            coalesce(lines.account, {{ json_text_at(json_part('tenants.document', 'accounts'), 'lines.account_role') }}) as account
        )
    from lines
    inner join tenants on lines.tenant_id = tenants.tenant_id

)

select
    tenant_id,
    entry_id,
    -- Debits first.
    coalesce(line_no, row_number() over (
        partition by tenant_id, entry_id
        order by case when amount > 0 or (amount = 0 and functional_amount > 0) then 0 else 1 end, account, account_role, contract_id, sub_ledger
    )) as line_no,
    kind,
    owner,
    strftime(posted_on, '%Y-%m') as period,
    performance_period,
    posted_on,
    account_role,
    account,
    {{ from_minor('greatest(amount, 0)', 'minor_digits') }} as debit,
    {{ from_minor('greatest(-amount, 0)', 'minor_digits') }} as credit,
    currency,
    {{ from_minor('case when functional_amount is null then null else greatest(functional_amount, 0) end', 'functional_digits') }} as functional_debit,
    {{ from_minor('case when functional_amount is null then null else greatest(-functional_amount, 0) end', 'functional_digits') }} as functional_credit,
    functional_currency,
    sub_ledger,
    contract_id,
    invoice_id,
    concat_ws(' ', replace(kind, '_', ' '), coalesce(contract_id, owner), case when kind in ('recognition', 'correction') then performance_period end) as memo
from identified
