-- Contracts that are not recognised at all, and why: no number is better than a wrong one. Of several contracts that name one subscription the
-- first one that was told keeps it; its invoice lines would be billing twice.
with

contracts as (

    select * from {{ ref('stg_ratehouse__contracts') }}

),

obligations as (

    select
        tenant_id,
        contract_id,
        event_id,
        {{ json_text('obligation', 'obligation_id') }} as obligation_id
    from (
        select
            tenant_id,
            contract_id,
            '' as event_id,
            unnest({{ json_elements('obligations') }}) as obligation
        from contracts
        union all
        select
            tenant_id,
            contract_id,
            event_id,
            unnest({{ json_elements(json_part('data', 'obligations')) }}) as obligation
        from {{ ref('stg_ratehouse__contract_events') }}
        where type = 'modification'
    ) as listed

),

named as (

    select
        tenant_id,
        contract_id,
        recorded_at,
        unnest({{ json_texts('subscription_ids') }}) as subscription_id
    from contracts

),

-- A contract that is refused for its price still holds its subscriptions: they wait with it.
told as (

    select
        *,
        row_number() over (partition by tenant_id, subscription_id order by recorded_at, contract_id) as told_no
    from named

)

select distinct
    tenant_id,
    contract_id,
    refusal
from {{ ref('int_revenue__standalone_prices') }}
where refusal is not null
union
select
    contracts.tenant_id,
    contracts.contract_id,
    'no_allocation_basis' as refusal
from contracts
left join obligations as promised
    on
        contracts.tenant_id = promised.tenant_id
        and contracts.contract_id = promised.contract_id
where coalesce(contracts.consideration, 0) <> 0 and promised.contract_id is null
union
select
    tenant_id,
    contract_id,
    'repeated_obligation' as refusal
from obligations
group by tenant_id, contract_id, event_id, obligation_id
having count(*) > 1
union
select
    contracts.tenant_id,
    contracts.contract_id,
    'modified_before_signing' as refusal
from contracts
inner join {{ ref('stg_ratehouse__contract_events') }} as events
    on
        contracts.tenant_id = events.tenant_id
        and contracts.contract_id = events.contract_id
        and contracts.signed_on > events.effective_on
where events.type = 'modification'
union
select
    tenant_id,
    contract_id,
    'subscription_of_another_contract' as refusal
from told
where told_no > 1
