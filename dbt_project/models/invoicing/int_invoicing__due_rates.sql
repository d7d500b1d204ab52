-- The exchange rate that is fixed on a document in another currency than the seller's, with its tax in the seller's own: the last one
-- published on or before the day of issue, as it was published (the other way round where only the reverse pair is). A credit note that
-- corrects one document has that document's rate. A rate is never rounded.
with

documents as (

    select
        totals.tenant_id,
        totals.document_key,
        totals.currency,
        totals.tax,
        totals.corrects_invoice_id,
        tenants.currency as functional_currency,
        tenants.minor_digits,
        {{ local_date('tenants.billing_as_of', 'tenants.timezone') }} as issued_on
    from {{ ref('int_invoicing__due_totals') }} as totals
    inner join {{ ref('stg_ratehouse__tenants') }} as tenants on totals.tenant_id = tenants.tenant_id
    where totals.currency <> tenants.currency

),

rates as (

    select * from {{ ref('stg_ratehouse__fx_rates') }}

),

published as (

    select
        documents.tenant_id,
        documents.document_key,
        arg_max(
            { 'base': rates.base, 'quote': rates.quote, 'rate': rates.rate, 'rate_on': rates.rate_on, 'source': rates.source },
            (rates.base = documents.currency, rates.rate_on)
        ) as latest
    from documents
    inner join rates
        on
            documents.tenant_id = rates.tenant_id
            and rates.rate_on <= documents.issued_on
            and (
                (rates.base = documents.currency and rates.quote = documents.functional_currency)
                or (rates.base = documents.functional_currency and rates.quote = documents.currency)
            )
    group by documents.tenant_id, documents.document_key

),

fixed as (

    select
        documents.*,
        case when original.fx_rate is not null then original.fx_base else published.latest.base end as fx_base,
        case when original.fx_rate is not null then original.fx_quote else published.latest.quote end as fx_quote,
        coalesce(original.fx_rate, published.latest.rate) as fx_rate,
        case when original.fx_rate is not null then original.fx_rate_on else published.latest.rate_on end as fx_rate_on,
        case when original.fx_rate is not null then original.fx_source else published.latest.source end as fx_source
    from documents
    left join published
        on
            documents.tenant_id = published.tenant_id
            and documents.document_key = published.document_key
    left join {{ ref('stg_ratehouse__issued_invoices') }} as original
        on
            documents.tenant_id = original.tenant_id
            and documents.corrects_invoice_id = original.invoice_id
            and documents.currency = original.currency

),

ratios as (

    select
        *,
        case when fx_base = currency then {{ to_scaled('fx_rate', 12) }} else cast({{ 10 ** 12 }} as hugeint) end as numerator,
        case when fx_base = currency then cast({{ 10 ** 12 }} as hugeint) else {{ to_scaled('fx_rate', 12) }} end as denominator
    from fixed
    where fx_rate is not null

)

select
    tenant_id,
    document_key,
    fx_base,
    fx_quote,
    fx_rate,
    fx_rate_on,
    fx_source,
    functional_currency,
    cast({{ from_scaled(
        '(' ~ divide_half_up('(' ~ to_scaled('tax', 4) ~ ' * numerator)', '(denominator * ' ~ power_of_ten('4 - minor_digits') ~ ')')
        ~ ' * ' ~ power_of_ten('4 - minor_digits') ~ ')', 4
    ) }} as decimal(20, 4)) as functional_tax
from ratios
