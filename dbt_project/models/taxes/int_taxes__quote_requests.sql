-- What a provider is asked about the documents that are due: one request per document and customer, since tax depends on where each of them is.
-- Whatever the answer depends on is in its text, and nothing else, so that equal hashes have equal answers.
with

items as (

    select
        tenant_id,
        document_key,
        customer_id,
        item_no,
        min(case when line_no = item_no then certificate_number end) as certificate_number,
        min(case when line_no = item_no then exemption_reason end) as exemption_reason,
        min(case when line_no = item_no then tax_code end) as tax_code,
        min(case when line_no = item_no then description end) as description,
        cast(sum(amount) as decimal(20, 4)) as amount
    from {{ ref('int_taxes__quote_items') }}
    group by tenant_id, document_key, customer_id, item_no

),

documents as (

    select distinct
        lines.tenant_id,
        lines.document_key,
        lines.kind,
        lines.bill_to_customer_id,
        lines.currency,
        {{ local_date('tenants.billing_as_of', 'customers.timezone') }} as bill_date
    from {{ ref('int_invoicing__net_lines') }} as lines
    inner join {{ ref('stg_ratehouse__tenants') }} as tenants on lines.tenant_id = tenants.tenant_id
    inner join {{ ref('int_subscriptions__customers') }} as customers
        on
            lines.tenant_id = customers.tenant_id
            and lines.bill_to_customer_id = customers.customer_id

),

tenants as (

    select
        tenant_id,
        {{ json_text('document', 'tax.provider') }} as provider,
        {{ json_text('document', 'tax.company') }} as company,
        {{ json_part('document', 'tax.origin') }} as origin
    from {{ ref('stg_ratehouse__tenants') }}

),

customers as (

    select * from {{ ref('int_subscriptions__customers') }}

),

listed as (

    select
        tenant_id,
        document_key,
        customer_id,
        cast(sum(amount) as decimal(20, 4)) as amount,
        count(*) as items,
        list(
            {
                'no': cast(item_no as varchar),
                'amount': cast(amount as varchar),
                'tax_code': tax_code,
                'description': description
            } order by item_no
        ) as item_list,
        list({ 'no': cast(item_no as varchar), 'number': certificate_number, 'reason': exemption_reason } order by item_no)
        filter (where certificate_number is not null) as exemption_list
    from items
    group by tenant_id, document_key, customer_id

),

worded as (

    select
        listed.tenant_id,
        listed.document_key,
        listed.customer_id,
        documents.kind,
        documents.bill_to_customer_id,
        documents.currency,
        documents.bill_date,
        tenants.provider,
        listed.items,
        listed.amount,
        case
            when customers.country is null then 'address_missing: the customer has no country'
            when customers.country in ('US', 'CA') and customers.postal_code is null then 'address_missing: the customer has no postal code'
            when customers.country in ('US', 'CA') and tenants.provider = 'taxjar' and customers.region is null
                then 'address_missing: the customer has no region'
        end as problem,
        listed.exemption_list,
        cast(to_json({
            'provider': tenants.provider,
            'company': tenants.company,
            'customer_id': listed.customer_id,
            'currency': documents.currency,
            'tax_on': cast(documents.bill_date as varchar),
            'exempt': coalesce(customers.tax_exempt, false),
            'tax_id': customers.tax_id,
            'origin': tenants.origin,
            'destination': {
                'lines': cast(customers.address as json),
                'region': customers.region,
                'postal_code': customers.postal_code,
                'country': customers.country
            },
            'items': listed.item_list
        }) as varchar) as question
    from listed
    inner join documents
        on
            listed.tenant_id = documents.tenant_id
            and listed.document_key = documents.document_key
    inner join tenants on listed.tenant_id = tenants.tenant_id
    inner join customers
        on
            listed.tenant_id = customers.tenant_id
            and listed.customer_id = customers.customer_id

),

-- A question without certificates does not mention them, so that its answer stays good.
certified as (

    select
        * exclude (question, exemption_list),
        case
            when exemption_list is null then question
            else left(question, length(question) - 1) || ',"exemptions":' || cast(to_json(exemption_list) as varchar) || '}'
        end as request
    from worded

)

select
    *,
    {{ sha256_text('request') }} as request_hash
from certified
