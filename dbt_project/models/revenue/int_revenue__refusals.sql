-- Tellings of contracts that are not recognised at all, and why: no number is better than a wrong one. Of several contracts that name one subscription
-- the one that named it first keeps it; its invoice lines would be billing twice.
with

contracts as (

    select * from {{ ref('stg_ratehouse__contracts') }}

),

events as (

    select * from {{ ref('stg_ratehouse__contract_events') }}
    where type = 'modification'

),

obligations as (

    select
        tenant_id,
        contract_id,
        telling,
        event_id,
        {{ json_text('obligation', 'obligation_id') }} as obligation_id
    from (
        select
            tenant_id,
            contract_id,
            telling,
            '' as event_id,
            unnest({{ json_elements('obligations') }}) as obligation
        from contracts
        union all
        select
            contracts.tenant_id,
            contracts.contract_id,
            contracts.telling,
            events.event_id,
            unnest({{ json_elements(json_part('events.data', 'obligations')) }}) as obligation
        from contracts
        inner join events
            on
                contracts.tenant_id = events.tenant_id
                and contracts.contract_id = events.contract_id
    ) as listed

),

of_itself as (

    select distinct
        tenant_id,
        contract_id,
        telling,
        refusal
    from {{ ref('int_revenue__standalone_prices') }}
    where refusal is not null
    union
    select
        contracts.tenant_id,
        contracts.contract_id,
        contracts.telling,
        'no_allocation_basis' as refusal
    from contracts
    left join obligations as promised
        on
            contracts.tenant_id = promised.tenant_id
            and contracts.contract_id = promised.contract_id
            and contracts.telling = promised.telling
    where coalesce(contracts.consideration, 0) <> 0 and promised.contract_id is null
    union
    select
        tenant_id,
        contract_id,
        telling,
        'repeated_obligation' as refusal
    from obligations
    group by tenant_id, contract_id, telling, event_id, obligation_id
    having count(*) > 1
    union
    select
        contracts.tenant_id,
        contracts.contract_id,
        contracts.telling,
        'modified_before_signing' as refusal
    from contracts
    inner join events
        on
            contracts.tenant_id = events.tenant_id
            and contracts.contract_id = events.contract_id
            and contracts.signed_on > events.effective_on

),

named as (

    select
        contracts.tenant_id,
        contracts.contract_id,
        contracts.telling,
        contracts.recorded_at,
        of_itself.contract_id is not null and contracts.telling < max(contracts.telling) over (partition by contracts.tenant_id, contracts.contract_id)
            as is_superseded,
        unnest({{ json_texts('contracts.subscription_ids') }}) as subscription_id
    from contracts
    left join (
        select distinct
            tenant_id,
            contract_id,
            telling
        from of_itself
    ) as of_itself
        on
            contracts.tenant_id = of_itself.tenant_id
            and contracts.contract_id = of_itself.contract_id
            and contracts.telling = of_itself.telling

),

-- A contract that is refused for its price still holds its subscriptions: they wait with it, until a telling of it leaves them out.
claims as (

    select
        tenant_id,
        subscription_id,
        contract_id,
        row_number() over (partition by tenant_id, subscription_id order by min(recorded_at), contract_id) as claim_no
    from named
    group by tenant_id, subscription_id, contract_id
    having bool_or(not is_superseded)

)

select * from of_itself
union
select
    named.tenant_id,
    named.contract_id,
    named.telling,
    'subscription_of_another_contract' as refusal
from named
inner join claims
    on
        named.tenant_id = claims.tenant_id
        and named.subscription_id = claims.subscription_id
        and named.contract_id = claims.contract_id
where claims.claim_no > 1
