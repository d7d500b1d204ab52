-- Which documents a payment is for, by the first rule that finds one. A payment that names what does not exist, another customer's document or one
-- in another currency is for none.
{{ config(materialized='view') }}
with

payment_references as (

    select
        tenant_id,
        payment_id,
        invoice_id,
        1 as rule_no,
        customer_id,
        coalesce(owner_id, customer_id) as account_id,
        currency,
        recorded_at,
        state_no,
        status,
        amount,
        problem
    from {{ ref('int_payments__named_invoices') }}
    where invoice_id is not null
    union all
    select * from {{ ref('int_payments__found_invoices') }}

)

select
    * exclude (state_no),
    -- Nearly all payments are told of once: what the telling brought is said here, and nobody has to look for it.
    case when state_no = 1 then {{ brought('status', 'amount') }} end as came_once,
    {{ matching_rule('rule_no') }} as rule
from payment_references
