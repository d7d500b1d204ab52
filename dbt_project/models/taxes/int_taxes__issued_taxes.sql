-- What issued documents taxed and the tax on it, as it stands on them, by place, treatment, code and rate. A document's tax stands on it
-- once per rate; where lines of several places or treatments share it, each has the share of what was taxed, added up and rounded, so that
-- they come to it exactly. Where a provider said the tax it is by jurisdiction, and what was taxed counts in each of them.
with

ledger_lines as (

    select * from {{ ref('stg_ratehouse__issued_invoice_lines') }}

),

invoices as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}

),

-- What a correction points at, where a provider was asked about it.
originals as (

    select
        tenant_id,
        line_id,
        tax_request_hash,
        tax_item_no
    from ledger_lines
    where tax_request_hash is not null

),

lines as (

    select
        ledger_lines.tenant_id,
        ledger_lines.invoice_id,
        -- Lines of before the ledger said so are where the document was billed, and treated as it notes.
        case when ledger_lines.tax_treatment is null then invoices.bill_to_country else ledger_lines.tax_country end as country,
        ledger_lines.tax_region as region,
        coalesce(
            ledger_lines.tax_treatment,
            case
                when coalesce(ledger_lines.tax_percent, 0) <> 0 then 'taxed'
                when invoices.notes like '%reverse_charge%' then 'reverse_charge'
                when invoices.notes like '%tax_exempt%' then 'exempt'
                else 'untaxed'
            end
        ) as treatment,
        ledger_lines.tax_code,
        coalesce(ledger_lines.tax_percent, 0) as tax_percent,
        ledger_lines.amount,
        coalesce(ledger_lines.tax_request_hash, originals.tax_request_hash) as request_hash,
        coalesce(ledger_lines.tax_item_no, originals.tax_item_no) as item_no
    from ledger_lines
    inner join invoices
        on
            ledger_lines.tenant_id = invoices.tenant_id
            and ledger_lines.invoice_id = invoices.invoice_id
    left join originals
        on
            ledger_lines.tenant_id = originals.tenant_id
            and ledger_lines.corrects_line_id = originals.line_id
    where ledger_lines.line_type <> 'tax'

),

parts as (

    select * from {{ ref('int_taxes__quote_parts') }}
    where amount <> 0

),

-- Under which code and rate the tax of each line stands on its document.
based as (

    select
        *,
        cast(null as varchar) as jurisdiction,
        tax_code as line_code,
        tax_percent as line_percent
    from lines
    where request_hash is null or tax_percent = 0
    union all by name
    select
        lines.*,
        parts.jurisdiction,
        parts.jurisdiction as line_code,
        parts.percent as line_percent
    from lines
    inner join parts
        on
            lines.tenant_id = parts.tenant_id
            and lines.request_hash = parts.request_hash
            and lines.item_no = parts.item_no
    where lines.tax_percent <> 0

),

bases as (

    select
        tenant_id,
        invoice_id,
        country,
        region,
        jurisdiction,
        treatment,
        tax_code,
        line_code,
        line_percent,
        cast(sum(amount) as decimal(20, 4)) as taxable
    from based
    group by tenant_id, invoice_id, country, region, jurisdiction, treatment, tax_code, line_code, line_percent

),

taxes as (

    select
        tenant_id,
        invoice_id,
        tax_code as line_code,
        coalesce(tax_percent, 0) as line_percent,
        cast(sum(amount) as decimal(20, 4)) as tax
    from ledger_lines
    where line_type = 'tax'
    group by tenant_id, invoice_id, tax_code, coalesce(tax_percent, 0)

),

running as (

    select
        coalesce(bases.tenant_id, taxes.tenant_id) as tenant_id,
        coalesce(bases.invoice_id, taxes.invoice_id) as invoice_id,
        bases.* exclude (tenant_id, invoice_id, line_code, line_percent),
        bases.tenant_id is null as is_without_base,
        coalesce(bases.line_code, taxes.line_code) as line_code,
        coalesce(bases.line_percent, taxes.line_percent) as line_percent,
        coalesce(taxes.tax, 0) as tax,
        sum(bases.taxable) over whole as taxable_total,
        sum(bases.taxable) over sequence as taxable_so_far,
        row_number() over sequence as place
    from bases
    full outer join taxes
        on
            bases.tenant_id = taxes.tenant_id
            and bases.invoice_id = taxes.invoice_id
            and bases.line_code is not distinct from taxes.line_code
            and bases.line_percent = taxes.line_percent
    window
        whole as (partition by bases.tenant_id, bases.invoice_id, bases.line_code, bases.line_percent),
        sequence as (
            partition by bases.tenant_id, bases.invoice_id, bases.line_code, bases.line_percent
            order by bases.country, bases.region, bases.treatment, bases.tax_code
            rows between unbounded preceding and current row
        )

),

-- In minor units, the whole positive.
scaled as (

    select
        running.*,
        tenants.rounding_mode,
        currencies.minor_digits,
        invoices.bill_to_country,
        sign(running.taxable_total) * {{ to_minor('running.taxable_so_far', 'currencies.minor_digits') }} as so_far_minor,
        -- What was taxed adds up to nothing: the tax, if there is any, is all the first's.
        sign(running.taxable_total) * {{ to_minor('running.taxable_total', 'currencies.minor_digits') }} as total_minor
    from running
    inner join invoices
        on
            running.tenant_id = invoices.tenant_id
            and running.invoice_id = invoices.invoice_id
    inner join {{ ref('stg_ratehouse__tenants') }} as tenants on running.tenant_id = tenants.tenant_id
    inner join {{ ref('currencies') }} as currencies on invoices.currency = currencies.currency

),

exact as (

    select
        *,
        {{ prorate('tax', "case when coalesce(total_minor, 0) = 0 then cast(1 as hugeint) else so_far_minor end",
            "case when coalesce(total_minor, 0) = 0 then cast(1 as hugeint) else total_minor end") }} as tax_exact
    from scaled

),

rounded as (

    select
        *,
        {{ round_money('tax_exact', 'minor_digits', 'rounding_mode') }} as tax_so_far
    from exact

)

select
    tenant_id,
    invoice_id,
    coalesce(country, case when is_without_base then bill_to_country end) as country,
    region,
    case when is_without_base then line_code else jurisdiction end as jurisdiction,
    coalesce(treatment, 'taxed') as treatment,
    tax_code,
    cast(line_percent as decimal(28, 12)) as tax_percent,
    cast(coalesce(taxable, 0) as decimal(20, 4)) as taxable,
    cast(
        tax_so_far
        - case when place = 1 or is_without_base then 0 else lag(tax_so_far) over (
            partition by tenant_id, invoice_id, line_code, line_percent, is_without_base order by place
        ) end as decimal(20, 4)
    ) as tax
from rounded
