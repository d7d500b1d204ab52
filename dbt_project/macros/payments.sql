{# Of the tellings of one instant the one that ends a payment is the last. #}
{% macro payment_status_rank(status) -%}
    case {{ status }} when 'initiated' then 0 when 'processing' then 1 when 'unknown' then 2 else 3 end
{%- endmacro %}

{# What a payment in that state has brought. #}
{% macro brought(status, amount) -%}case when {{ status }} = 'succeeded' then {{ amount }} else 0 end{%- endmacro %}

{# Whether an invoice waits for a payment in that state: on its way, of unknown fate, or promised for a later instant; and until when. #}
{% macro holds_an_invoice(state) -%}
    ({{ state }}.status in ('processing', 'unknown') or ({{ state }}.status = 'initiated' and {{ state }}.attempted_at > {{ state }}.recorded_at))
{%- endmacro %}
{% macro held_until(state) -%}
    case when {{ state }}.status = 'initiated' then least({{ state }}.replaced_at, {{ state }}.attempted_at) else {{ state }}.replaced_at end
{%- endmacro %}

{# The identity of a change that a telling made. #}
{% macro flow_id(source_type, source_id, state_no) -%}concat_ws(':', {{ source_type }}, {{ source_id }}, {{ state_no }}){%- endmacro %}

{# Movements between pots taken in their order, each as large as its cap and the pots it takes from allow, all or nothing where it is
   whole, nothing while the pot it needs is empty, and nothing while the one it takes from holds more than its limit. Pots are empty at first. Gives the list of what was moved. #}
{% macro move_in_order(movements, pots) -%}
    list_reduce(
        {{ movements }},
        lambda now, movement: list_transform(
            [cast(case
                when coalesce(now.pots[movement.needed_pot], 1) <= 0 then 0
                when now.pots[movement.from_pot] > movement.most then 0
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

{# Whether the tenant maps a role that is booked only where it does. #}
{% macro has_account(document, role) -%}
    {{ json_text(document, 'accounts.' ~ role) }} is not null
{%- endmacro %}

{# Where the money of a payment is: with a processor until it pays out, with another legal entity of the group that took it for us, or with us. #}
{% macro money_role(method, provider) -%}
    case when {{ method }} = 'intercompany' then 'intercompany' when {{ provider }} is null then 'cash' else 'clearing' end
{%- endmacro %}

{# Whether a movement of the processor is itself a fee. #}
{% macro is_processor_fee(category) -%}
    {{ category }} in ('fee', 'stripe_fee', 'stripe_fx_fee', 'network_cost', 'tax', 'tax_fee')
{%- endmacro %}

{# Whether what a person let stand is in the books: a difference of the bank or the processor that an account takes. #}
{% macro is_booked_acceptance(decision) -%}
    {{ decision }}.action = 'accept' and {{ decision }}.area in ('bank', 'processor') and {{ decision }}.item_status <> 'fee_variance'
    and {{ decision }}.account_role is not null
{%- endmacro %}

{# Why a payment cannot be for the document it names. A family pays for its members: `families` knows the payer's parent, `owners` the parent of whom the
   document is for. #}
{% macro misnaming(payments, families, invoices, owners) -%}
    case
        when {{ invoices }}.currency <> {{ payments }}.currency then 'wrong_currency'
        when {{ invoices }}.invoice_id is not null and not coalesce(
            {{ payments }}.customer_id is null
            or {{ invoices }}.customer_id = {{ payments }}.customer_id
            or {{ invoices }}.customer_id is not distinct from {{ families }}.parent_customer_id
            or {{ owners }}.parent_customer_id is not distinct from {{ payments }}.customer_id,
            false
        ) then 'misdirected'
    end
{%- endmacro %}
