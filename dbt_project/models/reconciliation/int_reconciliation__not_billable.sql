-- Usage that nobody can be billed for yet: of an unknown customer, of a time without a subscription, or of a type without a meter. It stays
-- until a fact makes it billable.
with

completeness as (

    select * from {{ ref('usage_completeness') }}

),

tenants as (

    select
        tenant_id,
        {{ local_date('billing_as_of', 'timezone') }} as today
    from {{ ref('stg_ratehouse__tenants') }}

)

select
    completeness.tenant_id,
    'usage' as area,
    'not_billable' as status,
    completeness.event_type as reference,
    cast(null as decimal(20, 4)) as expected_amount,
    cast(null as decimal(20, 4)) as actual_amount,
    cast(null as decimal(20, 4)) as difference,
    cast(null as varchar) as currency,
    cast(greatest(datediff('day', min(completeness.received_on), any_value(tenants.today)), 0) as integer) as age_days,
    cast(sum(completeness.not_billable) as bigint) as event_count
from completeness
inner join tenants on completeness.tenant_id = tenants.tenant_id
where completeness.not_billable > 0
group by completeness.tenant_id, completeness.event_type
