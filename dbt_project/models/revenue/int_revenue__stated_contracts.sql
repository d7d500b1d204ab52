-- The telling of a contract that stands: the first that is not refused, and where all are, the last, which waits to be corrected.
with

contracts as (

    select * from {{ ref('stg_ratehouse__contracts') }}

),

refused as (

    select distinct
        tenant_id,
        contract_id,
        telling
    from {{ ref('int_revenue__refusals') }}

),

ranked as (

    select
        contracts.*,
        refused.contract_id is not null as is_refused,
        row_number() over (
            partition by contracts.tenant_id, contracts.contract_id
            order by refused.contract_id is not null, case when refused.contract_id is null then contracts.telling else -contracts.telling end
        ) as standing
    from contracts
    left join refused
        on
            contracts.tenant_id = refused.tenant_id
            and contracts.contract_id = refused.contract_id
            and contracts.telling = refused.telling

)

select * exclude (standing)
from ranked
where standing = 1
