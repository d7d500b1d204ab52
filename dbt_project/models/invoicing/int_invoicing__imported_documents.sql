-- Documents that another system issued, put together from their lines: each line rounded once, as ours are, and counted as often as it was
-- billed. They are history: they have a number of their own system and are neither billed again nor owed here.
with

lines as (

    select * from {{ ref('stg_ratehouse__imported_invoice_lines') }}

),

tenants as (

    select
        *,
        {{ json_text('document', 'imports.credit_note_prefix') }} as credit_note_prefix
    from {{ ref('stg_ratehouse__tenants') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

priced as (

    select
        lines.*,
        {{ multiply_exact('lines.quantity', 'lines.unit_price') }} as amount_exact,
        row_number() over (
            partition by
                lines.tenant_id, lines.invoice_number, lines.customer_id, lines.issued_at, lines.item, lines.description, lines.quantity,
                lines.unit_price, lines.currency
            order by lines.line_no
        ) as copy_no
    from lines

),

rounded as (

    select
        priced.*,
        tenants.timezone,
        tenants.credit_note_prefix,
        {{ round_money('priced.amount_exact', 'currencies.minor_digits', 'tenants.rounding_mode') }} as amount
    from priced
    inner join tenants on priced.tenant_id = tenants.tenant_id
    inner join currencies on priced.currency = currencies.currency

)

select
    tenant_id,
    invoice_number,
    currency,
    case when coalesce(bool_or(starts_with(invoice_number, credit_note_prefix)), false) then 'credit_note' else 'invoice' end as kind,
    -- The number of its own system has one customer; lines without one belong to whom the others name.
    max(customer_id) as customer_id,
    min({{ local_date('issued_at', 'timezone') }}) as issued_on,
    count(*) as lines,
    count(*) filter (where copy_no > 1) as repeated_lines,
    count(*) filter (where customer_id is null) as lines_without_customer,
    cast(sum(amount) as decimal(20, 4)) as total,
    cast(sum(amount_exact) as decimal(38, 12)) as total_exact
from rounded
group by tenant_id, invoice_number, currency
