-- What can stand on a side of a match, as its own system tells it.
with

payments as (

    select
        tenant_id,
        'payment' as kind,
        payment_id as reference,
        amount,
        currency,
        cast(coalesce(settled_at, attempted_at, recorded_at) as date) as dated_on,
        status,
        customer_id,
        nullif(concat_ws(' · ', provider, method, provider_id, invoice_number, reference, failure_code), '') as details
    from {{ ref('stg_ratehouse__payments') }}

),

refunds as (

    select
        tenant_id,
        'refund' as kind,
        refund_id as reference,
        -amount as amount,
        currency,
        cast(effective_at as date) as dated_on,
        coalesce(status, 'succeeded') as status,
        cast(null as varchar) as customer_id,
        'of ' || payment_id as details
    from {{ ref('stg_ratehouse__refund_states') }}
    qualify row_number() over (partition by tenant_id, refund_id order by state_no desc) = 1

),

movements as (

    select
        tenant_id,
        'movement' as kind,
        balance_transaction_id as reference,
        gross as amount,
        currency,
        available_on as dated_on,
        case when payout_id is null then 'not_paid_out' else 'paid_out' end as status,
        cast(null as varchar) as customer_id,
        concat_ws(' · ', reporting_category, source_id, 'net ' || cast(net as varchar), 'payout ' || payout_id) as details
    from {{ ref('int_reconciliation__movements') }}

),

payouts as (

    select
        tenant_id,
        'payout' as kind,
        payout_id as reference,
        amount,
        currency,
        arrival_on as dated_on,
        coalesce(status, 'paid') as status,
        cast(null as varchar) as customer_id,
        case when automatic then 'automatic' when not automatic then 'made by hand' end as details
    from {{ ref('stg_ratehouse__payouts') }}

),

bank_lines as (

    select
        tenant_id,
        'bank_line' as kind,
        bank_line_id as reference,
        amount,
        currency,
        value_on as dated_on,
        'booked' as status,
        cast(null as varchar) as customer_id,
        nullif(concat_ws(' · ', counterparty, reference, end_to_end_id, account), '') as details
    from {{ ref('stg_ratehouse__bank_lines') }}

),

records as (

    select * from payments
    union all
    select * from refunds
    union all
    select * from movements
    union all
    select * from payouts
    union all
    select * from bank_lines

)

select
    tenant_id,
    kind,
    reference,
    cast(amount as decimal(20, 4)) as amount,
    currency,
    dated_on,
    status,
    customer_id,
    details
from records
