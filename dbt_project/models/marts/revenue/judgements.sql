-- What a person decided about a contract and a number rests on: estimates and how much of them is constrained, how a modification is treated, a
-- significant financing, prices that are a residual, expected breakage, costs. Basis, reviewer and evidence are those that the fact states.
with

contracts as (

    select * from {{ ref('int_revenue__stated_contracts') }}
    where not is_refused

),

events as (

    select * from {{ ref('stg_ratehouse__contract_events') }}

),

terms as (

    {%- for kind, list, subject in [
        ('variable_consideration', 'variable', 'variable_id'), ('residual_price', 'obligations', 'obligation_id'), ('breakage', 'obligations', 'obligation_id'),
        ('contract_cost', 'costs', 'cost_id')
    ] %}
    select
        tenant_id,
        contract_id,
        '{{ kind }}' as kind,
        '{{ subject }}' as subject_key,
        signed_on as judged_on,
        recorded_at,
        unnest({{ json_elements(list) }}) as document
    from contracts
    union all
    {%- endfor %}
    select
        tenant_id,
        contract_id,
        'financing' as kind,
        '' as subject_key,
        signed_on as judged_on,
        recorded_at,
        cast(financing as json) as document
    from contracts
    where financing is not null
    union all
    select
        tenant_id,
        contract_id,
        case type when 'estimate' then 'variable_consideration' when 'cancelled' then 'enforceable_price' else type end as kind,
        case type when 'estimate' then 'variable_id' else 'obligation_id' end as subject_key,
        effective_on as judged_on,
        recorded_at,
        cast(data as json) as document
    from events
    where type in ('estimate', 'modification', 'breakage', 'cancelled')

),

named as (

    select
        *,
        case subject_key
            {%- for name in ('variable_id', 'obligation_id', 'cost_id') %}
            when '{{ name }}' then {{ json_text('document', name) }}
            {%- endfor %}
        end as subject,
        cast({{ json_text('document', 'estimate') }} as decimal(20, 4)) as estimate,
        cast(case kind
            when 'variable_consideration' then coalesce({{ json_text('document', 'constrained') }}, {{ json_text('document', 'estimate') }})
            when 'modification' then {{ json_text('document', 'consideration_delta') }}
            when 'enforceable_price' then {{ json_text('document', 'consideration') }}
            when 'contract_cost' then {{ json_text('document', 'amount') }}
        end as decimal(20, 4)) as included
    from terms

)

select
    named.tenant_id,
    named.contract_id,
    row_number() over (
        partition by named.tenant_id, named.contract_id order by named.judged_on, named.recorded_at, named.kind, named.subject, named.document
    ) as judgement_no,
    contracts.customer_id,
    named.judged_on,
    named.kind,
    coalesce(named.subject, '') as subject,
    case named.kind
        when 'variable_consideration' then case when named.included = named.estimate then 'not constrained' else 'constrained' end
        when 'modification' then {{ json_text('named.document', 'treatment') }}
        when 'financing' then 'significant, at ' || {{ json_text('named.document', 'annual_rate') }} || ' a year'
        when 'residual_price' then 'what the price leaves over'
        when 'breakage' then {{ json_text('named.document', 'expected_unredeemed') }} || ' units expected unredeemed'
        when 'enforceable_price' then 'nothing more is transferred'
        when 'contract_cost' then case when coalesce({{ json_text('named.document', 'capitalise') }}, 'true') = 'true' then 'capitalised' else 'expensed' end
    end as conclusion,
    named.estimate,
    named.included,
    cast(named.estimate - named.included as decimal(20, 4)) as constrained,
    {%- for name in ('basis', 'reviewed_by', 'evidence') %}
    {{ json_text('named.document', name) }} as {{ name }},
    {%- endfor %}
    named.recorded_at,
    contracts.currency
from named
inner join contracts
    on
        named.tenant_id = contracts.tenant_id
        and named.contract_id = contracts.contract_id
where
    case named.kind
        when 'residual_price' then {{ json_text('named.document', 'ssp_method') }} = 'residual'
        when 'breakage' then {{ json_text('named.document', 'expected_unredeemed') }} is not null
        else true
    end
