-- Each account of the journal beside the sub-ledger that it must equal, at every month end and in the currency of the transactions. What the two
-- differ by for a known reason is explained; what is left is the difference.
with

months as (

    select distinct
        tenant_id,
        period
    from {{ ref('accounting_periods') }}

),

journal as (

    select
        tenant_id,
        period,
        case when account_role in ('breakage_revenue', 'contra_revenue') then 'revenue' else account_role end as account_role,
        currency,
        sum(debit - credit) as amount,
        -- A gift that was drawn lowers revenue and belongs to no contract.
        sum(case when account_role = 'contra_revenue' and contract_id is null then debit - credit else 0 end) as explained
    from {{ ref('journal_entries') }}
    group by all

),

-- What the sub-ledgers moved by in a month, debits above zero.
moved as (

    select
        tenant_id,
        period,
        currency,
        unnest([
            { 'role': 'deferred_revenue', 'source': 'contract_balances', 'amount': -contract_liability },
            { 'role': 'contract_asset', 'source': 'contract_balances', 'amount': contract_asset },
            { 'role': 'refund_liability', 'source': 'contract_balances', 'amount': -refund_liability }
        ]) as side,
        true as is_balance
    from {{ ref('contract_balances') }}
    union all
    select
        tenant_id,
        posting_period as period,
        currency,
        { 'role': 'revenue', 'source': 'revenue_by_period', 'amount': -recognised } as side,
        false as is_balance
    from {{ ref('revenue_by_period') }}

),

sub_ledgers as (

    select
        tenant_id,
        period,
        side.role as account_role,
        side.source as sub_ledger,
        currency,
        is_balance,
        sum(side.amount) as amount
    from moved
    group by all

),

held as (

    select distinct
        tenant_id,
        account_role,
        sub_ledger,
        currency,
        is_balance
    from sub_ledgers

),

compared as (

    select
        months.tenant_id,
        months.period,
        held.account_role,
        held.sub_ledger,
        held.currency,
        case
            when held.is_balance then coalesce(sub_ledgers.amount, 0)
            else coalesce(sum(sub_ledgers.amount) over to_date, 0)
        end as sub_ledger_balance,
        coalesce(sum(journal.amount) over to_date, 0) as journal_balance,
        coalesce(sum(journal.explained) over to_date, 0) as explained
    from months
    inner join held on months.tenant_id = held.tenant_id
    left join sub_ledgers
        on
            months.tenant_id = sub_ledgers.tenant_id
            and months.period = sub_ledgers.period
            and held.account_role = sub_ledgers.account_role
            and held.currency = sub_ledgers.currency
    left join journal
        on
            months.tenant_id = journal.tenant_id
            and months.period = journal.period
            and held.account_role = journal.account_role
            and held.currency = journal.currency
    window to_date as (partition by months.tenant_id, held.account_role, held.currency order by months.period)

)

select
    compared.tenant_id,
    compared.period,
    compared.account_role,
    {{ json_text_at(json_part('tenants.document', 'accounts'), 'compared.account_role') }} as account,
    compared.currency,
    compared.sub_ledger,
    cast(compared.sub_ledger_balance as decimal(20, 4)) as sub_ledger_balance,
    cast(compared.journal_balance as decimal(20, 4)) as journal_balance,
    cast(compared.explained as decimal(20, 4)) as explained_amount,
    case when compared.explained <> 0 then 'gifts that were drawn' end as explanation,
    cast(compared.journal_balance - compared.explained - compared.sub_ledger_balance as decimal(20, 4)) as difference
from compared
inner join {{ ref('stg_ratehouse__tenants') }} as tenants on compared.tenant_id = tenants.tenant_id
