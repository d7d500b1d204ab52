-- What tax providers are told about documents that were issued, so that they file what was collected: the lines of each question as a sale,
-- the corrections of such lines as a return of that sale. Its code follows from the document, so that telling it twice is telling it once.
with

lines as (

    select * from {{ ref('stg_ratehouse__issued_invoice_lines') }}
    where line_type <> 'tax'

),

invoices as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}

),

quotes as (

    select * from {{ ref('stg_ratehouse__tax_quotes') }}

),

-- The certificates that an answer was about, by item.
exemptions as (

    select
        tenant_id,
        request_hash,
        unnest({{ json_elements(json_part('request', 'exemptions')) }}) as exemption
    from quotes

),

receivables as (

    select * from {{ ref('int_payments__receivables') }}

),

told_lines as (

    select
        tenant_id,
        invoice_id,
        cast(null as varchar) as corrected_invoice_id,
        tax_request_hash,
        tax_item_no,
        line_no,
        tax_code,
        charge_description,
        charge,
        amount,
        tax_amount
    from lines
    where tax_request_hash is not null
    union all
    select
        corrections.tenant_id,
        corrections.invoice_id,
        originals.invoice_id as corrected_invoice_id,
        originals.tax_request_hash,
        originals.tax_item_no,
        corrections.line_no,
        corrections.tax_code,
        corrections.charge_description,
        corrections.charge,
        corrections.amount,
        corrections.tax_amount
    from lines as corrections
    inner join lines as originals
        on
            corrections.tenant_id = originals.tenant_id
            and corrections.corrects_line_id = originals.line_id
    where originals.tax_request_hash is not null

),

items as (

    select
        tenant_id,
        invoice_id,
        corrected_invoice_id,
        tax_request_hash,
        tax_item_no,
        min_by(tax_code, line_no) as tax_code,
        min_by(coalesce(charge_description, charge), line_no) as description,
        cast(sum(amount) as decimal(20, 4)) as amount,
        cast(sum(coalesce(tax_amount, 0)) as decimal(20, 4)) as tax
    from told_lines
    group by tenant_id, invoice_id, corrected_invoice_id, tax_request_hash, tax_item_no

),

parts as (

    select
        items.tenant_id,
        items.invoice_id,
        items.corrected_invoice_id,
        items.tax_request_hash,
        cast(sum(items.amount) as decimal(20, 4)) as amount,
        cast(sum(items.tax) as decimal(20, 4)) as tax,
        list(
            {
                'no': cast(items.tax_item_no as varchar),
                'amount': cast(items.amount as varchar),
                'tax': cast(items.tax as varchar),
                'tax_code': items.tax_code,
                'description': items.description
            } order by items.tax_item_no
        ) as item_list,
        list(exemptions.exemption order by items.tax_item_no) filter (where exemptions.exemption is not null) as exemption_list
    from items
    left join exemptions
        on
            items.tenant_id = exemptions.tenant_id
            and items.tax_request_hash = exemptions.request_hash
            and cast(items.tax_item_no as varchar) = {{ json_text('exemptions.exemption', 'no') }}
    group by items.tenant_id, items.invoice_id, items.corrected_invoice_id, items.tax_request_hash

),

coded as (

    select
        *,
        invoice_id || case
            when row_number() over of_document = 1 then ''
            else '-' || cast(row_number() over of_document as varchar)
        end as code,
        -- More of what was sold before is a sale.
        case when corrected_invoice_id is null or amount > 0 then 'sale' else 'return' end as type
    from parts
    window of_document as (
        partition by tenant_id, invoice_id order by corrected_invoice_id nulls first, tax_request_hash
    )

)

select
    coded.tenant_id,
    coded.code,
    coded.invoice_id,
    invoices.invoice_number,
    coded.type,
    quotes.provider,
    quotes.customer_id,
    invoices.currency,
    invoices.issued_on,
    coded.amount,
    coded.tax,
    sales.code as corrects_code,
    receivables.voided_at is not null as is_void,
    cast(to_json({
        'code': coded.code,
        'type': coded.type,
        'corrects': sales.code,
        'company': {{ json_text('quotes.request', 'company') }},
        'customer_id': {{ json_text('quotes.request', 'customer_id') }},
        'currency': invoices.currency,
        'tax_on': cast(invoices.bill_date as varchar),
        'exempt': {{ json_text('quotes.request', 'exempt') }} = 'true',
        'tax_id': {{ json_text('quotes.request', 'tax_id') }},
        'origin': {{ json_part('quotes.request', 'origin') }},
        'destination': {{ json_part('quotes.request', 'destination') }},
        'tax': cast(coded.tax as varchar),
        'items': coded.item_list,
        'exemptions': coded.exemption_list
    }) as varchar) as body
from coded
inner join invoices
    on
        coded.tenant_id = invoices.tenant_id
        and coded.invoice_id = invoices.invoice_id
inner join quotes
    on
        coded.tenant_id = quotes.tenant_id
        and coded.tax_request_hash = quotes.request_hash
left join coded as sales
    on
        coded.tenant_id = sales.tenant_id
        and coded.corrected_invoice_id = sales.invoice_id
        and coded.tax_request_hash = sales.tax_request_hash
        and sales.corrected_invoice_id is null
left join receivables
    on
        coded.tenant_id = receivables.tenant_id
        and coded.invoice_id = receivables.invoice_id
