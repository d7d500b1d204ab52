-- What each telling of a contract promises, in versions: a modification replaces the fields it gives from its day on. An obligation
-- of a modification that is a contract of its own shares no price with the others: `price_group`.
with

contracts as (

    select * from {{ ref('stg_ratehouse__contracts') }}

),

modifications as (

    select
        *,
        {{ json_text('data', 'treatment') }} as treatment
    from {{ ref('stg_ratehouse__contract_events') }}
    where type = 'modification'

),

documents as (

    select
        tenant_id,
        contract_id,
        telling,
        signed_on as valid_from,
        '' as event_id,
        'contract' as price_group,
        unnest({{ json_elements('obligations') }}) as document
    from contracts
    union all
    select
        contracts.tenant_id,
        contracts.contract_id,
        contracts.telling,
        modifications.effective_on as valid_from,
        modifications.event_id,
        case when modifications.treatment = 'separate' then modifications.event_id else 'contract' end as price_group,
        unnest({{ json_elements(json_part('modifications.data', 'obligations')) }}) as document
    from contracts
    inner join modifications
        on
            contracts.tenant_id = modifications.tenant_id
            and contracts.contract_id = modifications.contract_id

),

-- What is named twice at once is neither: its contract is refused (int_revenue__refusals).
named_once as (

    select *
    from documents
    qualify count(*) over (
        partition by tenant_id, contract_id, telling, valid_from, event_id, {{ json_text('document', 'obligation_id') }}
    ) = 1

),

-- A known obligation keeps every field that a modification does not give.
versions as (

    select
        tenant_id,
        contract_id,
        telling,
        {{ json_text('document', 'obligation_id') }} as obligation_id,
        valid_from,
        coalesce(lead(valid_from) over history, date '9999-12-31') as valid_before,
        first_value(price_group) over history as price_group,
        -- The day on which the SSP was last stated: from then on it is the price of all that remained that day.
        coalesce(
            max(case when {{ json_text('document', 'ssp') }} is not null then valid_from end) over history,
            first_value(valid_from) over history
        ) as ssp_from,
        {{ fold_json_patches('document', 'history') }} as document
    from named_once
    window history as (
        partition by tenant_id, contract_id, telling, {{ json_text('document', 'obligation_id') }}
        order by valid_from, event_id
    )

)

select
    tenant_id,
    contract_id,
    telling,
    obligation_id,
    valid_from,
    valid_before,
    price_group,
    ssp_from,
    {{ json_text('document', 'recognise') }} as recognise,
    cast({{ json_text('document', 'ssp') }} as decimal(38, 12)) as ssp,
    cast({{ json_text('document', 'price') }} as decimal(38, 12)) as price,
    coalesce({{ json_text('document', 'ssp_method') }}, 'observable') as ssp_method,
    cast({{ json_text('document', 'ssp_range.low') }} as decimal(38, 12)) as ssp_low,
    cast({{ json_text('document', 'ssp_range.high') }} as decimal(38, 12)) as ssp_high,
    {{ json_text('document', 'discount_group') }} as discount_group,
    cast({{ json_text('document', 'satisfied_on') }} as date) as satisfied_on,
    cast({{ json_text('document', 'start') }} as date) as start_on,
    cast({{ json_text('document', 'end') }} as date) as end_on,
    cast({{ json_text('document', 'units') }} as decimal(28, 10)) as units,
    coalesce(cast({{ json_text('document', 'expected_unredeemed') }} as decimal(28, 10)), 0) as expected_unredeemed,
    coalesce(cast({{ json_text('document', 'removed') }} as boolean), false) as is_removed
from versions
