-- The tax that a correction takes with it where a provider said the tax of the line it corrects: per jurisdiction the same share as of the
-- item, as a cumulative difference, so that an item that is taken back whole takes back its tax to the last cent. Nobody is asked again: what
-- was collected is what is given back, whatever the rates are today.
with

issued as (

    select * from {{ ref('stg_ratehouse__issued_invoice_lines') }}

),

quoted_lines as (

    select
        tenant_id,
        line_id,
        invoice_id,
        tax_request_hash,
        tax_item_no,
        sum(amount) over (partition by tenant_id, invoice_id, tax_request_hash, tax_item_no) as item_amount
    from issued
    where tax_request_hash is not null

),

corrected_before as (

    select
        quoted_lines.tenant_id,
        quoted_lines.invoice_id,
        quoted_lines.tax_request_hash,
        quoted_lines.tax_item_no,
        sum(issued.amount) as amount
    from issued
    inner join quoted_lines
        on
            issued.tenant_id = quoted_lines.tenant_id
            and issued.corrects_line_id = quoted_lines.line_id
    group by quoted_lines.tenant_id, quoted_lines.invoice_id, quoted_lines.tax_request_hash, quoted_lines.tax_item_no

),

running as (

    select
        lines.tenant_id,
        lines.document_key,
        lines.line_no,
        lines.amount,
        quoted_lines.invoice_id,
        quoted_lines.tax_request_hash,
        quoted_lines.tax_item_no,
        quoted_lines.item_amount,
        tenants.rounding_mode,
        currencies.minor_digits,
        coalesce(corrected_before.amount, 0)
        + sum(lines.amount) over (
            partition by lines.tenant_id, quoted_lines.invoice_id, quoted_lines.tax_request_hash, quoted_lines.tax_item_no
            order by lines.document_key, lines.line_no
            rows between unbounded preceding and current row
        ) as reached
    from {{ ref('int_invoicing__net_lines') }} as lines
    inner join {{ ref('stg_ratehouse__tenants') }} as tenants on lines.tenant_id = tenants.tenant_id
    inner join {{ ref('currencies') }} as currencies on lines.currency = currencies.currency
    inner join quoted_lines
        on
            lines.tenant_id = quoted_lines.tenant_id
            and lines.corrects_line_id = quoted_lines.line_id
    left join corrected_before
        on
            quoted_lines.tenant_id = corrected_before.tenant_id
            and quoted_lines.invoice_id = corrected_before.invoice_id
            and quoted_lines.tax_request_hash = corrected_before.tax_request_hash
            and quoted_lines.tax_item_no = corrected_before.tax_item_no
    -- Of an item that cost nothing no share can be taken.
    where quoted_lines.item_amount <> 0

),

-- In minor units; the item positive.
scaled as (

    select
        running.*,
        parts.jurisdiction,
        parts.percent,
        parts.amount as item_tax,
        sign(running.item_amount) * {{ to_minor('running.reached', 'running.minor_digits') }} as reached_minor,
        sign(running.item_amount) * {{ to_minor('running.reached - running.amount', 'running.minor_digits') }} as before_minor,
        sign(running.item_amount) * {{ to_minor('running.item_amount', 'running.minor_digits') }} as item_minor
    from running
    inner join {{ ref('int_taxes__quote_parts') }} as parts
        on
            running.tenant_id = parts.tenant_id
            and running.tax_request_hash = parts.request_hash
            and running.tax_item_no = parts.item_no

),

exact as (

    select
        *,
        {{ prorate('item_tax', 'reached_minor', 'item_minor') }} as reached_exact,
        {{ prorate('item_tax', 'before_minor', 'item_minor') }} as before_exact
    from scaled

)

select
    tenant_id,
    document_key,
    line_no,
    jurisdiction,
    percent,
    cast(
        {{ round_money('reached_exact', 'minor_digits', 'rounding_mode') }} - {{ round_money('before_exact', 'minor_digits', 'rounding_mode') }}
        as decimal(20, 4)
    ) as amount
from exact
