-- What was told of a contract, each telling once: a row never changes, and what alters a contract is an event. A second row counts only where the
-- first is refused (int_revenue__stated_contracts).
{%- set terms = [
    'customer_id', 'currency', 'signed_on', 'cancellable', 'consideration', 'subscription_ids', 'obligations', 'discount_groups', 'variable', 'financing', 'costs'
] %}
with

contracts as (

    select * from {{ source('raw', 'contracts') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

),

copies as (

    select
        contracts.*,
        row_number() over (
            partition by contracts.tenant_id, contracts.contract_id, {% for name in terms %}contracts.{{ name }}{{ ", " if not loop.last }}{% endfor %}
            order by contracts.recorded_at, contracts.batch_id
        ) as copy_no
    from contracts
    inner join clocks on contracts.tenant_id = clocks.tenant_id
    where contracts.recorded_at <= clocks.known_as_of

)

select
    tenant_id,
    contract_id,
    row_number() over (partition by tenant_id, contract_id order by recorded_at, batch_id) as telling,
    {%- for name in terms %}
    {{ name }},
    {%- endfor %}
    recorded_at
from copies
where copy_no = 1
