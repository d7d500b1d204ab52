-- Every contract with how far its tenant is: `reported_before` is the first day of the running month; months before it are complete; what happens up
-- to `booked_until` is in the books.
{{ config(materialized='view') }}
select
    contracts.*,
    tenants.timezone,
    cast(date_trunc('month', {{ local_date('tenants.billing_as_of', 'tenants.timezone') }}) as date) as reported_before,
    {{ local_date('tenants.billing_as_of', 'tenants.timezone') }} as booked_until
from {{ ref('int_revenue__known_contracts') }} as contracts
inner join {{ ref('stg_ratehouse__tenants') }} as tenants on contracts.tenant_id = tenants.tenant_id
