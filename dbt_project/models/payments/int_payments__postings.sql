-- What every movement came to: those of an account that need an order, and those of an invoice that one payment or none has to do with.
{{ config(materialized='view') }}
with

lone_invoices as {{ not_materialized() }}(

    select
        *,
        'invoice:' || invoice_id as account,
        -- Money that came once and stayed is a payment's.
        {{ flow_id("'payment'", 'payment_id', 'state_no') }} as flow_id,
        flowed_at <= issued_at as is_paid_ahead
    from {{ ref('int_payments__lone_invoices') }}

),

lone as (

    select
        tenant_id,
        account,
        invoice_id,
        case when is_paid_ahead then 2 else 1 end as movement_no,
        'issued' as kind,
        issued_at as moved_at,
        amount_due as amount,
        amount_due as opens
    from lone_invoices
    union all by name
    select
        tenant_id,
        account,
        case when is_paid_ahead then 1 else 2 end as movement_no,
        'received' as kind,
        flowed_at as moved_at,
        payment_id,
        flow_id,
        amount,
        0 as opens
    from lone_invoices
    where payment_id is not null
    union all by name
    select
        tenant_id,
        account,
        invoice_id,
        3 as movement_no,
        'applied' as kind,
        greatest(flowed_at, issued_at) as moved_at,
        payment_id,
        flow_id,
        {{ matching_rule('rule_no') }} as rule,
        applied_amount as amount,
        -applied_amount as opens
    from lone_invoices
    where applied_amount > 0

)

select * from {{ ref('int_payments__ordered_postings') }}
union all by name
select
    * replace (cast(amount as decimal(20, 4)) as amount, cast(opens as decimal(20, 4)) as opens)
from lone
