-- What must hold before a month is closed, month by month. A check that fails names by how much and where to look.
with

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

-- Also a month that is to be closed and of which no contract is recognised.
months as (

    select
        tenant_id,
        period
    from {{ ref('int_revenue__month_ends') }}
    union
    select
        closes.tenant_id,
        closes.period
    from {{ ref('stg_ratehouse__period_closes') }} as closes
    inner join tenants on closes.tenant_id = tenants.tenant_id
    where closes.period < strftime({{ local_date('tenants.billing_as_of', 'tenants.timezone') }}, '%Y-%m')

),

closed as (

    select * from {{ ref('stg_ratehouse__closed_periods') }}

),

journal as (

    select
        tenant_id,
        period,
        sum(debit - credit) as difference,
        count(*) filter (where functional_debit is null) as without_rate
    from {{ ref('journal_entries') }}
    group by tenant_id, period

),

sub_ledger as (

    select
        positions.tenant_id,
        positions.period,
        sum(abs(positions.net_position - coalesce(journal.position, 0))) as difference
    from {{ ref('int_revenue__balances') }} as positions
    left join (
        select
            month_ends.tenant_id,
            month_ends.contract_id,
            month_ends.as_of,
            -sum(lines.amount) as position
        from {{ ref('int_revenue__month_ends') }} as month_ends
        inner join {{ ref('int_accounting__journal') }} as lines
            on
                month_ends.tenant_id = lines.tenant_id
                and month_ends.contract_id = lines.contract_id
                and month_ends.as_of >= lines.posted_on
                and lines.account_role in ('deferred_revenue', 'contract_asset')
        group by month_ends.tenant_id, month_ends.contract_id, month_ends.as_of
    ) as journal
        on
            positions.tenant_id = journal.tenant_id
            and positions.contract_id = journal.contract_id
            and positions.as_of = journal.as_of
    group by positions.tenant_id, positions.period

),

-- The accounts of money against their sub-ledgers, at the end of the month or the last day before it on which they moved.
money as (

    select
        tenant_id,
        period,
        sum(abs(residual)) as difference
    from (
        select
            months.tenant_id,
            months.period,
            ledger.residual
        from months
        inner join {{ ref('ledger_proofs') }} as ledger
            on
                months.tenant_id = ledger.tenant_id
                and last_day(cast(months.period || '-01' as date)) >= ledger.as_of
        qualify row_number() over (
            partition by months.tenant_id, months.period, ledger.account_role, ledger.currency order by ledger.as_of desc
        ) = 1
    )
    group by tenant_id, period

),

unissued as (

    select
        months.tenant_id,
        months.period,
        count(*) as documents
    from months
    inner join {{ ref('int_invoicing__due_documents') }} as documents on months.tenant_id = documents.tenant_id
    group by months.tenant_id, months.period

),

unpriced as (

    select
        tenant_id,
        strftime(service_start, '%Y-%m') as period,
        count(*) as items
    from {{ ref('int_reconciliation__usage') }}
    group by tenant_id, strftime(service_start, '%Y-%m')

),

opened as (

    select * from {{ ref('int_revenue__last_closes') }}

),

-- A row of a closed month that was refused since then waits with those of the first open one.
rejected as (

    select
        rejected_rows.tenant_id,
        strftime(greatest({{ local_date('rejected_rows.recorded_at', 'tenants.timezone') }}, opened.opens_on), '%Y-%m') as period,
        count(*) as items
    from {{ ref('rejected_rows') }} as rejected_rows
    inner join tenants on rejected_rows.tenant_id = tenants.tenant_id
    left join opened on rejected_rows.tenant_id = opened.tenant_id
    where not rejected_rows.replayed
    group by rejected_rows.tenant_id, strftime(greatest({{ local_date('rejected_rows.recorded_at', 'tenants.timezone') }}, opened.opens_on), '%Y-%m')

),

-- A liability of a contract that has nothing more to transfer is owed back, or was billed beyond the price.
stranded as (

    select
        balances.tenant_id,
        balances.period,
        count(*) as items
    from {{ ref('contract_balances') }} as balances
    left join (
        select
            tenant_id,
            contract_id,
            period,
            sum(rpo) as rpo
        from {{ ref('remaining_obligations') }}
        group by tenant_id, contract_id, period
    ) as remaining
        on
            balances.tenant_id = remaining.tenant_id
            and balances.contract_id = remaining.contract_id
            and balances.period = remaining.period
    where balances.contract_liability > 0 and coalesce(remaining.rpo, 0) = 0
    group by balances.tenant_id, balances.period

),

unexplained as (

    select
        flux.tenant_id,
        flux.period,
        count(*) as items
    from {{ ref('revenue_flux') }} as flux
    inner join tenants on flux.tenant_id = tenants.tenant_id
    where
        flux.comparison = 'month'
        and (flux.status in ('open', 'moved') or (flux.is_material and flux.status = 'explained' and {{ flux_is_required('tenants.document') }}))
    group by flux.tenant_id, flux.period

),

open_before as (

    select
        months.tenant_id,
        months.period,
        count(*) as items
    from months
    inner join months as earlier
        on
            months.tenant_id = earlier.tenant_id
            and months.period > earlier.period
    left join closed
        on
            earlier.tenant_id = closed.tenant_id
            and earlier.period <= closed.period
    where closed.period is null
    group by months.tenant_id, months.period

),

checks as (
{% for check_name, found, measured, evidence in [
    ('journal_balances', 'journal', 'difference', 'journal_entries'),
    ('every_line_has_a_rate', 'journal', 'without_rate', 'journal_entries'),
    ('journal_equals_contract_balances', 'sub_ledger', 'difference', 'contract_balances'),
    ('journal_equals_cash_sub_ledgers', 'money', 'difference', 'ledger_proofs'),
    ('due_documents_are_issued', 'unissued', 'documents', 'upcoming_invoice_lines'),
    ('usage_has_a_price', 'unpriced', 'items', 'reconciliation_items'),
    ('rejected_rows_are_replayed', 'rejected', 'items', 'rejected_rows'),
    ('nothing_is_deferred_after_its_end', 'stranded', 'items', 'contract_balances'),
    ('changes_are_explained', 'unexplained', 'items', 'revenue_flux'),
    ('earlier_months_are_closed', 'open_before', 'items', 'close_checklist'),
] %}
    select
        months.tenant_id,
        months.period,
        '{{ check_name }}' as check_name,
        cast(coalesce({{ found }}.{{ measured }}, 0) as decimal(38, 4)) as difference,
        '{{ evidence }}' as evidence
    from months
    left join {{ found }}
        on
            months.tenant_id = {{ found }}.tenant_id
            and months.period = {{ found }}.period
    {{ 'union all' if not loop.last }}
{% endfor %}
)

select
    checks.tenant_id,
    checks.period,
    checks.check_name,
    case
        when closed.period is not null then 'closed'
        when checks.difference = 0 then 'passed'
        -- A month may be closed with those before it.
        when checks.check_name in ('earlier_months_are_closed', 'nothing_is_deferred_after_its_end') then 'warning'
        -- Where the tenant asks for it, changes are explained and accepted before the month is closed.
        when checks.check_name = 'changes_are_explained' and not {{ flux_is_required('tenants.document') }} then 'warning'
        else 'failed'
    end as status,
    checks.difference,
    checks.evidence,
    closed.prepared_by,
    closed.approved_by,
    closed.content_hash
from checks
inner join tenants on checks.tenant_id = tenants.tenant_id
left join closed
    on
        checks.tenant_id = closed.tenant_id
        and checks.period = closed.period
