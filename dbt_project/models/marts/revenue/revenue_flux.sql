-- The flux analysis: the change of posted revenue between two months by account and charge, what drove it, whether it is large enough to be
-- explained, and what people said about it. An explanation is about the change that was seen: when that moves, it is asked for again.
{%- set drivers = ['price', 'volume', 'mix', 'late', 'catch_up', 'one_off', 'other'] %}
{%- set line = ['comparison', 'period', 'account_role', 'charge', 'currency'] %}
with

items as (

    select * from {{ ref('revenue_flux_items') }}

),

tenants as (

    select
        tenant_id,
        coalesce(cast({{ json_text('document', 'revenue.flux.amount') }} as decimal(20, 4)), 0) as threshold_amount,
        coalesce(cast({{ json_text('document', 'revenue.flux.percent') }} as decimal(28, 12)), 10) as threshold_percent,
        {{ json_part('document', 'accounts') }} as accounts
    from {{ ref('stg_ratehouse__tenants') }}

),

said as (

    select * from {{ ref('stg_ratehouse__flux_explanations') }}

),

explained as (

    select *
    from said
    where action = 'explain'
    qualify row_number() over (partition by tenant_id, {{ line | join(', ') }} order by decided_at desc, explanation_id desc) = 1

),

-- Accepted by somebody else than who explained it, after it was.
accepted as (

    select
        said.tenant_id,
        said.{{ line | join(', said.') }},
        arg_max(said.decided_by, said.decided_at) as accepted_by,
        max(said.decided_at) as accepted_at
    from said
    inner join explained
        on
            said.tenant_id = explained.tenant_id
            {%- for column in line %}
            and said.{{ column }} = explained.{{ column }}
            {%- endfor %}
            and said.decided_at >= explained.decided_at
            and said.change = explained.change
            and lower(said.decided_by) <> lower(explained.decided_by)
    where said.action = 'accept'
    group by said.tenant_id, said.{{ line | join(', said.') }}

),

lines as (

    select
        tenant_id,
        {{ line | join(',\n        ') }},
        prior_period,
        min(functional_currency) as functional_currency,
        count(*) as items,
        sum(prior_amount) as prior_amount,
        sum(amount) as amount,
        sum(change) as change,
        {%- for driver in drivers %}
        sum({{ driver }}) as {{ driver }},
        {%- endfor %}
        {%- for name in ['prior_amount', 'amount', 'change'] + drivers + ['fx'] %}
        case when bool_and(functional_{{ name }} is not null) then sum(functional_{{ name }}) end as functional_{{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from items
    group by tenant_id, {{ line | join(', ') }}, prior_period

),

judged as (

    select
        lines.*,
        {{ json_text_at('tenants.accounts', 'lines.account_role') }} as account,
        -- Without a rate the threshold is asked of the amounts as they are.
        abs(coalesce(lines.functional_change, lines.change)) >= tenants.threshold_amount
        and abs(coalesce(lines.functional_change, lines.change)) * 100 >= tenants.threshold_percent * abs(coalesce(lines.functional_prior_amount, lines.prior_amount))
        and coalesce(lines.functional_change, lines.change) <> 0 as is_material
    from lines
    inner join tenants on lines.tenant_id = tenants.tenant_id

)

select
    judged.tenant_id,
    judged.comparison,
    judged.period,
    judged.prior_period,
    judged.account_role,
    judged.account,
    judged.charge,
    judged.currency,
    judged.items,
    {%- for name in ['prior_amount', 'amount', 'change'] + drivers %}
    cast(judged.{{ name }} as decimal(20, 4)) as {{ name }},
    {%- endfor %}
    judged.functional_currency,
    {%- for name in ['prior_amount', 'amount', 'change'] + drivers + ['fx'] %}
    cast(judged.functional_{{ name }} as decimal(20, 4)) as functional_{{ name }},
    {%- endfor %}
    judged.is_material,
    case
        when explained.decided_by is null then case when judged.is_material then 'open' else 'below_threshold' end
        when explained.change <> judged.change then 'moved'
        when accepted.accepted_by is not null then 'accepted'
        else 'explained'
    end as status,
    explained.explanation,
    explained.owner,
    explained.change as explained_change,
    explained.decided_by as explained_by,
    explained.decided_at as explained_at,
    accepted.accepted_by,
    accepted.accepted_at
from judged
left join explained
    on
        judged.tenant_id = explained.tenant_id
        {%- for column in line %}
        and judged.{{ column }} = explained.{{ column }}
        {%- endfor %}
left join accepted
    on
        judged.tenant_id = accepted.tenant_id
        {%- for column in line %}
        and judged.{{ column }} = accepted.{{ column }}
        {%- endfor %}
