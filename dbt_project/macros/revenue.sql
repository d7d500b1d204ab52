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

{# CTEs that split totals over the obligations of a contract at a month end by largest remainder: `pools` has tenant_id, contract_id, as_of, pool
   (what tells totals of one day apart), price_group, obligation_ids (null: all of the price group) and amount in minor
   units. Gives `shares` with obligation_id and allocated, beside the obligation's progress. #}
{% macro split_over_obligations(pools) -%}
members as (

    select
        pools.*,
        progress.obligation_id,
        progress.recognise,
        progress.numerator,
        progress.denominator,
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
            and (
                list_contains(pools.obligation_ids, progress.obligation_id)
                -- What is invoiced by use takes no share of the fixed price.
                or (pools.obligation_ids is null and pools.price_group = progress.price_group and progress.recognise <> 'as_invoiced')
            )

),

weighed as (

    select
        *,
        greatest(sum(weight) over (partition by tenant_id, contract_id, as_of, pool), 1) as total_weight
    from members

),

-- The largest remainder: whole minor units first, what is left over to the largest remainders, ties by obligation_id.
split as (

    select
        *,
        abs(amount) * weight // total_weight as whole_units,
        row_number() over (
            partition by tenant_id, contract_id, as_of, pool
            order by abs(amount) * weight % total_weight desc, obligation_id
        ) as remainder_rank
    from weighed

),

shares as (

    select
        * exclude (whole_units, remainder_rank),
        cast(sign(amount) * (
            whole_units
            + case
                when weight > 0 and remainder_rank <= abs(amount) - sum(whole_units) over (partition by tenant_id, contract_id, as_of, pool) then 1
                else 0
            end
        ) as hugeint) as allocated
    from split

)
{%- endmacro %}
