{# Where a day stands on the scale of a schedule, an integer: days, or months of equal weight of which a day is
   1 / days of its month (377,580 is the least common multiple of 28, 29, 30 and 31). What is served between two days is
   the difference of their positions. #}
{% macro schedule_position(day, recognise) -%}
    cast(case
        when {{ recognise }} = 'ratable_month' then
            datediff('month', date '1970-01-01', {{ day }}) * 377580
            + (day({{ day }}) - 1) * (377580 // day(last_day({{ day }})))
        else datediff('day', date '1970-01-01', {{ day }})
    end as hugeint)
{%- endmacro %}

{# Served of [start, end) before a day, on that scale. #}
{% macro served(start_on, end_on, before, recognise) -%}
    ({{ schedule_position('least(greatest(' ~ before ~ ', ' ~ start_on ~ '), ' ~ end_on ~ ')', recognise) }} - {{ schedule_position(start_on, recognise) }})
{%- endmacro %}

{# What one unit grows to between two days, times 10^15: compounded yearly, by equal months inside a year. `rate` is the yearly
   rate times 10^12; nothing grows backwards. The rate goes in with the years: see `docs/naming.md` on columns in a fold. #}
{% macro growth(rate, from_on, to_on) -%}
{%- set elapsed = "greatest(" ~ schedule_position(to_on, "'ratable_month'") ~ " - " ~ schedule_position(from_on, "'ratable_month'") ~ ", 0)" -%}
{%- set year = 12 * 377580 -%}
    {{ divide_half_up(
        "(list_reduce(list_transform(range(cast(" ~ elapsed ~ " // " ~ year ~ " as bigint)), lambda year_no: cast(" ~ rate ~ " as hugeint)), lambda value, grows: (value * (" ~ 10 ** 12 ~ " + grows) + " ~ 5 * 10 ** 11 ~ ") // " ~ 10 ** 12 ~ ", cast(" ~ 10 ** 15 ~ " as hugeint)) * (" ~ year * 10 ** 12 ~ " + " ~ rate ~ " * (" ~ elapsed ~ " % " ~ year ~ ")))",
        year * 10 ** 12
    ) }}
{%- endmacro %}

{# CTEs that split totals by largest remainder: whole minor units first, what is left over to the largest remainders, ties by
   obligation_id. `members` has tenant_id, contract_id, as_of, pool (what tells totals of one day apart), amount in minor units,
   obligation_id and weight. Gives `name` with allocated beside the columns of `members`. #}
{% macro split_by_weight(members, name) -%}
{{ name }}_totals as (

    select
        *,
        greatest(sum(weight) over (partition by tenant_id, contract_id, as_of, pool), 1) as total_weight
    from {{ members }}

),

{{ name }}_ranked as (

    select
        *,
        abs(amount) * weight // total_weight as whole_units,
        row_number() over (
            partition by tenant_id, contract_id, as_of, pool
            order by abs(amount) * weight % total_weight desc, obligation_id
        ) as remainder_rank
    from {{ name }}_totals

),

{{ name }} as (

    select
        * exclude (total_weight, whole_units, remainder_rank),
        cast(sign(amount) * (
            whole_units
            + case
                when weight > 0 and remainder_rank <= abs(amount) - sum(whole_units) over (partition by tenant_id, contract_id, as_of, pool) then 1
                else 0
            end
        ) as hugeint) as allocated
    from {{ name }}_ranked

)
{%- endmacro %}

{# CTEs that split prices for the service of certain days over the obligations of a contract at a month end. `pools` has tenant_id,
   contract_id, as_of, pool, price_group, obligation_ids (null: all of the price group) and amount. Gives `shares`. #}
{% macro split_over_obligations(pools) -%}
members as (

    select
        pools.*,
        progress.obligation_id,
        progress.recognise,
        -- A promise to one obligation needs no SSP.
        case
            when len(pools.obligation_ids) = 1 then cast(1 as hugeint)
            else {{ to_scaled('progress.effective_ssp', 12) }}
        end as weight
    from {{ pools }} as pools
    inner join {{ ref('int_revenue__progress') }} as progress
        on
            pools.tenant_id = progress.tenant_id
            and pools.contract_id = progress.contract_id
            and pools.as_of = progress.as_of
            and progress.is_last_epoch
            and (
                list_contains(pools.obligation_ids, progress.obligation_id)
                -- What is invoiced by use takes no share of the fixed price.
                or (pools.obligation_ids is null and pools.price_group = progress.price_group and progress.recognise <> 'as_invoiced')
            )

),

{{ split_by_weight('members', 'shares') }}
{%- endmacro %}

{# CTEs that carry prices through the epochs of a contract. In each epoch a total is split by the price of what remains and
   recognised by progress; what the epoch leaves unrecognised is shared anew in the next one, together with what is promised there. So a
   price that changes later reaches what was satisfied before by the shares of the day of its promise (606-10-32-43 to 45).
   `pools` has tenant_id, contract_id, as_of, epoch, pool, next_pool (where its rest goes), price_group, obligation_ids and amount.
   Gives `shares`: one row per pool, epoch and obligation with allocated and recognised. #}
{% macro carry_through_epochs(pools) -%}
terms as (

    select
        progress.*,
        prices.remaining_ssp
    from {{ ref('int_revenue__progress') }} as progress
    inner join {{ ref('int_revenue__remaining_prices') }} as prices
        on
            progress.tenant_id = prices.tenant_id
            and progress.contract_id = prices.contract_id
            and progress.obligation_id = prices.obligation_id
            and progress.as_of = prices.as_of
            and progress.epoch = prices.epoch

),

{% for epoch in range(var('most_epochs')) -%}
pools_{{ epoch }} as (

    select
        tenant_id,
        contract_id,
        as_of,
        pool,
        next_pool,
        price_group,
        obligation_ids,
        cast(sum(amount) as hugeint) as amount
    from (
        select
            tenant_id,
            contract_id,
            as_of,
            pool,
            next_pool,
            price_group,
            obligation_ids,
            amount
        from {{ pools }}
        where epoch = {{ epoch }}
        {%- if epoch > 0 %}
        union all
        select
            tenant_id,
            contract_id,
            as_of,
            next_pool as pool,
            next_pool,
            price_group,
            null as obligation_ids,
            allocated - recognised as amount
        from shares_{{ epoch - 1 }}
        where not is_last_epoch
        {%- endif %}
    ) as entering
    group by tenant_id, contract_id, as_of, pool, next_pool, price_group, obligation_ids

),

members_{{ epoch }} as (

    select
        pools.*,
        terms.obligation_id,
        terms.recognise,
        terms.is_last_epoch,
        terms.numerator,
        terms.denominator,
        case
            -- A promise to one obligation needs no SSP.
            when len(pools.obligation_ids) = 1 then cast(1 as hugeint)
            -- Nothing remains: those that were promised bear the change at once.
            when sum({{ to_scaled('terms.remaining_ssp', 12) }}) over total = 0 then {{ to_scaled('terms.effective_ssp', 12) }}
            else {{ to_scaled('terms.remaining_ssp', 12) }}
        end as weight
    from pools_{{ epoch }} as pools
    inner join terms
        on
            pools.tenant_id = terms.tenant_id
            and pools.contract_id = terms.contract_id
            and pools.as_of = terms.as_of
            and terms.epoch = {{ epoch }}
            and (
                list_contains(pools.obligation_ids, terms.obligation_id)
                -- What is invoiced by use takes no share of the fixed price.
                or (pools.obligation_ids is null and pools.price_group = terms.price_group and terms.recognise <> 'as_invoiced')
            )
    window total as (partition by pools.tenant_id, pools.contract_id, pools.as_of, pools.pool)

),

{{ split_by_weight('members_' ~ epoch, 'split_' ~ epoch) }},

shares_{{ epoch }} as (

    select
        *,
        {{ epoch }} as epoch,
        -- What was invoiced by use has been performed.
        case when recognise = 'as_invoiced' then allocated else {{ divide_half_up('(allocated * numerator)', 'denominator') }} end as recognised
    from split_{{ epoch }}

),

{% endfor -%}
shares as (
    {% for epoch in range(var('most_epochs')) %}
    select * from shares_{{ epoch }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

)
{%- endmacro %}

{# Whether a tenant closes no month before its changes of revenue are explained and accepted. #}
{% macro flux_is_required(document) -%}
    coalesce({{ json_text(document, 'revenue.flux.required') }} = 'true', false)
{%- endmacro %}
