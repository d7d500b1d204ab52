-- Double entry in minor units of the transaction currency: every movement of a contract, every document's tax, and the costs of
-- contracts, as debits (positive) and credits (negative) of account roles. Lines of one role in an entry are one line.
with

movements as (

    select * from {{ ref('int_accounting__movements') }}

),

of_contracts as (

    select
        tenant_id,
        kind,
        owner,
        posted_on,
        performance_period,
        currency,
        minor_digits,
        contract_id,
        invoice_id,
        -- Whose receivable it is.
        coalesce(account, contract_id) as sub_ledger,
        unnest([
            { 'role': 'receivable', 'amount': billed - credited - paid },
            { 'role': money_role, 'amount': paid - refunded },
            { 'role': 'contract_asset', 'amount': greatest(-position, 0) - greatest(-position_before, 0) },
            { 'role': 'deferred_revenue', 'amount': greatest(position_before, 0) - greatest(position, 0) },
            { 'role': 'refund_liability', 'amount': -liability },
            { 'role': 'interest_expense', 'amount': interest },
            { 'role': 'contra_revenue', 'amount': contra },
            { 'role': 'breakage_revenue', 'amount': -breakage },
            { 'role': 'revenue', 'amount': breakage - recognised - contra }
        ]) as line
    from movements

),

taxes as (

    select
        lines.tenant_id,
        'billing' as kind,
        concat_ws('|', invoices.customer_id, lines.currency) as owner,
        invoices.bill_date as posted_on,
        strftime(invoices.bill_date, '%Y-%m') as performance_period,
        lines.currency,
        currencies.minor_digits,
        cast(null as varchar) as contract_id,
        lines.invoice_id,
        concat_ws('|', invoices.customer_id, lines.currency) as sub_ledger,
        unnest([
            { 'role': 'receivable', 'amount': cast({{ to_minor('lines.amount', 'currencies.minor_digits') }} as hugeint) },
            { 'role': 'tax_payable', 'amount': cast(-1 * {{ to_minor('lines.amount', 'currencies.minor_digits') }} as hugeint) }
        ]) as line
    from {{ ref('stg_ratehouse__issued_invoice_lines') }} as lines
    inner join {{ ref('stg_ratehouse__issued_invoices') }} as invoices
        on
            lines.tenant_id = invoices.tenant_id
            and lines.invoice_id = invoices.invoice_id
    inner join {{ ref('stg_ratehouse__tenants') }} as tenants on lines.tenant_id = tenants.tenant_id
    inner join {{ ref('currencies') }} as currencies on lines.currency = currencies.currency
    -- A customer's day may be one ahead of the tenant's: the document is booked as a whole once the tenant has it too.
    where lines.line_type = 'tax' and invoices.bill_date <= {{ local_date('tenants.billing_as_of', 'tenants.timezone') }}
    union all
    -- A void document is taken back on its day.
    select
        lines.tenant_id,
        'void' as kind,
        lines.invoice_id as owner,
        lines.voided_on as posted_on,
        strftime(lines.voided_on, '%Y-%m') as performance_period,
        lines.currency,
        currencies.minor_digits,
        cast(null as varchar) as contract_id,
        lines.invoice_id,
        concat_ws('|', lines.billed_to, lines.currency) as sub_ledger,
        unnest([
            { 'role': 'receivable', 'amount': cast(-1 * {{ to_minor('lines.amount', 'currencies.minor_digits') }} as hugeint) },
            { 'role': 'tax_payable', 'amount': cast({{ to_minor('lines.amount', 'currencies.minor_digits') }} as hugeint) }
        ]) as line
    from {{ ref('int_revenue__voided_lines') }} as lines
    inner join {{ ref('currencies') }} as currencies on lines.currency = currencies.currency
    where lines.line_type = 'tax'

),

costs as (

    select
        tenant_id,
        'cost' as kind,
        concat_ws('|', contract_id, cost_id) as owner,
        -- Of a contract that was learned after a close, in the first open month.
        greatest(incurred_on, opens_on) as posted_on,
        period as performance_period,
        currency,
        minor_digits,
        contract_id,
        cast(null as varchar) as invoice_id,
        contract_id as sub_ledger,
        unnest([
            { 'role': 'contract_cost', 'amount': cast(capitalised as hugeint) },
            { 'role': 'clearing', 'amount': cast(-capitalised as hugeint) }
        ]) as line
    from {{ ref('int_revenue__costs') }}
    where capitalised <> 0
    union all
    select
        tenant_id,
        'amortisation' as kind,
        concat_ws('|', contract_id, cost_id) as owner,
        greatest(as_of, last_day(opens_on)) as posted_on,
        period as performance_period,
        currency,
        minor_digits,
        contract_id,
        cast(null as varchar) as invoice_id,
        contract_id as sub_ledger,
        unnest([
            { 'role': 'contract_cost_amortisation', 'amount': cast(amortised as hugeint) },
            { 'role': 'contract_cost', 'amount': cast(-amortised as hugeint) }
        ]) as line
    from {{ ref('int_revenue__costs') }}

),

cash as (

    select
        * exclude (account_role, amount),
        cast(null as varchar) as contract_id,
        { 'role': account_role, 'amount': amount } as line
    from {{ ref('int_accounting__cash') }}

),

postings as (

    select * from of_contracts
    union all by name
    select * from taxes
    union all by name
    select * from costs
    union all by name
    select * from cash

)

select
    tenant_id,
    kind,
    owner,
    posted_on,
    performance_period,
    line.role as account_role,
    currency,
    sub_ledger,
    -- What several contracts of a document share belongs to none of them.
    case when count(distinct contract_id) = 1 then min(contract_id) end as contract_id,
    case when count(distinct invoice_id) = 1 then min(invoice_id) end as invoice_id,
    min(minor_digits) as minor_digits,
    cast(sum(line.amount) as hugeint) as amount
from postings
group by
    tenant_id, kind, owner, posted_on, performance_period, line.role, currency, sub_ledger,
    case when line.role not in ('receivable', 'withholding_receivable', 'tax_payable', 'cash', 'clearing', 'unapplied_cash') then contract_id end
having sum(line.amount) <> 0
