-- The documents that the next run issues, in the order in which they are numbered. The issue step adds number and hash, no more.
with

totals as (

    select * from {{ ref('int_invoicing__due_totals') }}

),

draws as (

    select
        tenant_id,
        document_key,
        sum(amount) as credits_applied
    from {{ ref('int_credits__due_draws') }}
    group by tenant_id, document_key

),

customers as (

    select * from {{ ref('int_subscriptions__customers') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

-- What the document must say about lines without tax.
notes as (

    select
        tenant_id,
        document_key,
        to_json(list_sort(list(distinct case treatment when 'exempt' then 'tax_exempt' else treatment end))) as notes
    from {{ ref('int_taxes__line_rates') }}
    where treatment in ('exempt', 'reverse_charge')
    group by tenant_id, document_key

),

-- Documents of one customer are numbered by what they are about.
subjects as (

    select
        tenant_id,
        document_key,
        min(subscription_id) as first_subscription_id
    from {{ ref('int_invoicing__net_lines') }}
    group by tenant_id, document_key

),

dated as (

    select
        totals.*,
        subjects.first_subscription_id,
        tenants.* exclude (tenant_id, currency, timezone, name, due_days, minor_digits),
        customers.timezone,
        customers.due_days,
        customers.name as bill_to_name,
        customers.address as bill_to_address,
        customers.country as bill_to_country,
        customers.tax_id as bill_to_tax_id,
        customers.language,
        customers.po_number,
        tenants.name as seller_name,
        coalesce(draws.credits_applied, 0) as credits_applied,
        {{ local_date('tenants.billing_as_of', 'tenants.timezone') }} as issued_on
    from totals
    inner join tenants on totals.tenant_id = tenants.tenant_id
    inner join subjects
        on
            totals.tenant_id = subjects.tenant_id
            and totals.document_key = subjects.document_key
    inner join customers
        on
            totals.tenant_id = customers.tenant_id
            and totals.bill_to_customer_id = customers.customer_id
    left join draws
        on
            totals.tenant_id = draws.tenant_id
            and totals.document_key = draws.document_key

)

select
    dated.tenant_id,
    dated.document_key,
    dated.kind,
    dated.bill_to_customer_id as customer_id,
    dated.currency,
    dated.first_subscription_id,
    dated.is_draft,
    dated.blocked_by,
    dated.bill_date,
    -- The series is the seller's, so its dates are days of the seller: customers of several zones share one night.
    dated.issued_on,
    cast(dated.bill_date + cast(case when dated.kind = 'invoice' then dated.due_days else 0 end as integer) as date) as due_on,
    dated.subtotal,
    dated.discount,
    dated.tax,
    dated.total,
    cast(dated.credits_applied as decimal(20, 4)) as credits_applied,
    cast(dated.total - dated.credits_applied as decimal(20, 4)) as amount_due,
    notes.notes,
    dated.corrects_invoice_id,
    dated.number_format,
    dated.seller_name,
    dated.legal_entity,
    dated.bill_to_name,
    dated.bill_to_address,
    dated.bill_to_country,
    dated.bill_to_tax_id,
    dated.timezone,
    dated.language,
    dated.po_number,
    dated.due_days,
    due_rates.fx_base,
    due_rates.fx_quote,
    due_rates.fx_rate,
    due_rates.fx_rate_on,
    due_rates.fx_source,
    due_rates.functional_currency,
    due_rates.functional_tax,
    dated.billing_as_of,
    dated.known_as_of
from dated
left join notes
    on
        dated.tenant_id = notes.tenant_id
        and dated.document_key = notes.document_key
left join {{ ref('int_invoicing__due_rates') }} as due_rates
    on
        dated.tenant_id = due_rates.tenant_id
        and dated.document_key = due_rates.document_key
