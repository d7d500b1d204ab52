-- Whether a business elsewhere in the EU had a valid tax id on the tax days of its due lines, where the tenant has that checked. VIES knows
-- only today, so an answer counts for the days up to a number of days after it, the latest before the tax day first; a day before the first
-- answer has the first after it. Where VIES was asked and is away, an id that is none by its digits aside, the customer's word stands; the
-- document that was issued so stays here, unconfirmed, until VIES answers.
with

tenants as (

    select
        tenant_id,
        {{ json_text('document', 'legal_entity.country') }} as country,
        cast({{ json_text('document', 'tax.tax_id_max_age_days') }} as integer) as max_age_days
    from {{ ref('stg_ratehouse__tenants') }}
    where
        {{ json_text('document', 'tax.tax_id_check') }} = 'vies'
        and {{ json_text('document', 'tax.reverse_charge') }} = 'eu'

),

checks as (

    select * from {{ ref('stg_ratehouse__tax_id_checks') }}

),

due as (

    select distinct
        places.tenant_id,
        places.document_key,
        cast(null as varchar) as invoice_id,
        places.customer_id,
        tenants.max_age_days,
        places.tax_id,
        places.tax_on
    from {{ ref('int_taxes__line_places') }} as places
    inner join tenants on places.tenant_id = tenants.tenant_id
    where
        places.corrects_line_id is null
        and places.tax_id is not null
        and not places.is_exempt
        and places.country <> tenants.country
        and places.country in (select country from {{ ref('eu_countries') }})

),

issued as (

    select
        invoices.tenant_id,
        invoices.invoice_id as document_key,
        invoices.invoice_id,
        invoices.customer_id,
        tenants.max_age_days,
        invoices.bill_to_tax_id as tax_id,
        invoices.bill_date as tax_on
    from {{ ref('stg_ratehouse__issued_invoices') }} as invoices
    inner join tenants on invoices.tenant_id = tenants.tenant_id
    where
        invoices.bill_to_tax_id is not null
        and invoices.kind = 'invoice'
        and list_contains({{ json_texts('invoices.notes') }}, 'reverse_charge')

),

documents as (

    select * from due
    union all
    select * from issued

),

-- As VIES writes ids: no blanks, dots or dashes, and Greece is EL.
needed as (

    select
        * replace (regexp_replace(regexp_replace(upper(tax_id), '[^A-Z0-9]', '', 'g'), '^GR', 'EL') as tax_id)
    from documents

),

ranked as (

    select
        needed.tenant_id,
        needed.document_key,
        needed.invoice_id,
        needed.customer_id,
        needed.tax_id,
        needed.tax_on,
        checks.status,
        checks.asked_at,
        row_number() over (
            partition by needed.tenant_id, needed.document_key, needed.customer_id, needed.tax_on
            order by
                -- An answer before the word that there is none, the days before the tax day before those after it.
                case when checks.status = 'unavailable' then 1 else 0 end,
                case when checks.asked_on <= needed.tax_on then 0 else 1 end,
                case when checks.asked_on <= needed.tax_on then checks.asked_at end desc,
                checks.asked_at
        ) as place
    from needed
    left join checks
        on
            needed.tenant_id = checks.tenant_id
            and needed.tax_id = checks.tax_id
            and (
                checks.asked_on >= needed.tax_on - needed.max_age_days
                or checks.status = 'malformed'
            )

)

select
    tenant_id,
    document_key,
    invoice_id,
    customer_id,
    tax_id,
    tax_on,
    asked_at,
    case
        when status is null then 'unchecked'
        when status = 'unavailable' then 'unconfirmed'
        else status
    end as standing
from ranked
where place = 1
