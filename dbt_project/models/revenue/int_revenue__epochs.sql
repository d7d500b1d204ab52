-- The spans of a contract between its prospective modifications (606-10-25-13a): each ends the old contract and starts a new one
-- with what was not yet recognised the day before. Modifications of one day are one.
with

contracts as (

    select * from {{ ref('stg_ratehouse__contracts') }}

),

starts as (

    select
        tenant_id,
        contract_id,
        date '0001-01-01' as starts_on
    from contracts
    union
    select
        tenant_id,
        contract_id,
        effective_on as starts_on
    from {{ ref('stg_ratehouse__contract_events') }}
    where type = 'modification' and {{ json_text('data', 'treatment') }} = 'prospective'

)

select
    tenant_id,
    contract_id,
    cast(row_number() over history - 1 as integer) as epoch,
    starts_on,
    coalesce(lead(starts_on) over history, date '9999-12-31') as ends_before
from starts
window history as (partition by tenant_id, contract_id order by starts_on)
