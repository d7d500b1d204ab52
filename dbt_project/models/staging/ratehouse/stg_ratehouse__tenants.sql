with

documents as (

    select
        tenants.*,
        row_number() over (partition by tenants.tenant_id order by tenants.recorded_at desc, tenants.batch_id desc) as recency
    from {{ source('raw', 'tenants') }} as tenants

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

parsed as (

    select
        documents.tenant_id,
        {{ json_text('documents.document', 'name') }} as name,
        {{ json_text('documents.document', 'currency') }} as currency,
        {{ json_text('documents.document', 'timezone') }} as timezone,
        {{ json_text('documents.document', 'rounding.mode') }} as rounding_mode,
        {{ json_text('documents.document', 'proration.method') }} as proration_method,
        {{ json_text('documents.document', 'proration.credit') }} as proration_credit,
        cast({{ json_text('documents.document', 'proration.minimum_charge') }} as decimal(20, 4)) as proration_minimum_charge,
        cast({{ json_text('documents.document', 'invoicing.due_days') }} as integer) as due_days,
        cast({{ json_text('documents.document', 'invoicing.draft_hours') }} as integer) as draft_hours,
        {{ json_text('documents.document', 'invoicing.number_format') }} as number_format,
        cast({{ json_text('documents.document', 'invoicing.bill_day') }} as integer) as bill_day,
        {{ json_text('documents.document', 'invoicing.group_by') }} as group_by,
        {{ json_text('documents.document', 'invoicing.late_usage') }} as late_usage,
        cast({{ json_text('documents.document', 'invoicing.materiality') }} as decimal(20, 4)) as materiality,
        coalesce({{ json_text('documents.document', 'invoicing.adjustment_approval') }}, 'requested') as adjustment_approval,
        cast({{ json_part('documents.document', 'legal_entity') }} as varchar) as legal_entity,
        coalesce({{ json_text('documents.document', 'tax.inclusive') }} = 'true', false) as is_tax_inclusive,
        documents.document
    from documents
    where documents.recency = 1

)

select
    parsed.*,
    clocks.billing_as_of,
    clocks.known_as_of,
    currencies.minor_digits
from parsed
inner join clocks on parsed.tenant_id = clocks.tenant_id
inner join currencies on parsed.currency = currencies.currency
