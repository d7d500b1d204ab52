{# Of the tellings of one instant the one that ends a payment is the last. #}
{% macro payment_status_rank(status) -%}
    case {{ status }} when 'initiated' then 0 when 'processing' then 1 when 'unknown' then 2 else 3 end
{%- endmacro %}

{# What a payment in that state has brought. #}
{% macro brought(status, amount) -%}case when {{ status }} = 'succeeded' then {{ amount }} else 0 end{%- endmacro %}

{# The identity of a change that a telling made. #}
{% macro flow_id(source_type, source_id, state_no) -%}concat_ws(':', {{ source_type }}, {{ source_id }}, {{ state_no }}){%- endmacro %}

{# Movements between pots taken in their order, each as large as its cap and the pots it takes from allow, all or nothing where it is
   whole, and nothing while the pot it needs is empty. Pots are empty at first. Gives the list of what was moved. #}
{% macro move_in_order(movements, pots) -%}
    list_reduce(
        {{ movements }},
        lambda now, movement: list_transform(
            [cast(case
                when coalesce(now.pots[movement.needed_pot], 1) <= 0 then 0
                when movement.is_whole and now.pots[movement.from_pot] < movement.cap then 0
                else least(movement.cap, now.pots[movement.from_pot], now.pots[movement.from_second_pot])
            end as decimal(20, 4))],
            lambda moved: {
                'pots': list_transform(
                    now.pots,
                    lambda pot, place: cast(case
                        when place in (movement.from_pot, movement.from_second_pot) then pot - moved
                        when place in (movement.to_pot, movement.to_second_pot) then pot + moved
                        else pot
                    end as decimal(20, 4))
                ),
                'log': list_append(now.log, moved)
            }
        )[1],
        {
            'pots': list_transform({{ pots }}, lambda pot: cast(0 as decimal(20, 4))),
            'log': cast([] as decimal(20, 4) [])
        }
    ).log
{%- endmacro %}
