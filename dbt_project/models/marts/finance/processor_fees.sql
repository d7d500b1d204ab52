with

fees as (

    select
        items.tenant_id,
        items.reference as balance_transaction_id,
        items.payment_id
    from {{ ref('int_reconciliation__processor') }} as items
    where items.rule in ('payment_id', 'provider_id', 'manual') and items.payment_id is not null

),

variances as (

    select
        tenant_id,
        reference as balance_transaction_id,
        difference
    from {{ ref('int_reconciliation__processor') }}
    where status = 'fee_variance'

)

select
    movements.tenant_id,
    strftime(movements.available_on, '%Y-%m') as period,
    payments.provider,
    payments.method,
    customers.country,
    movements.currency,
    count(*) as payments,
    cast(sum(movements.gross) as decimal(20, 4)) as gross_amount,
    cast(sum(movements.fee) as decimal(20, 4)) as fee_amount,
    count(variances.difference) as variances,
    cast(coalesce(sum(variances.difference), 0) as decimal(20, 4)) as variance_amount
from {{ ref('stg_ratehouse__balance_transactions') }} as movements
inner join fees
    on
        movements.tenant_id = fees.tenant_id
        and movements.balance_transaction_id = fees.balance_transaction_id
inner join {{ ref('stg_ratehouse__payments') }} as payments
    on
        fees.tenant_id = payments.tenant_id
        and fees.payment_id = payments.payment_id
left join {{ ref('int_subscriptions__customers') }} as customers
    on
        payments.tenant_id = customers.tenant_id
        and payments.customer_id = customers.customer_id
left join variances
    on
        movements.tenant_id = variances.tenant_id
        and movements.balance_transaction_id = variances.balance_transaction_id
where movements.reporting_category in ('charge', 'payment') and movements.available_on is not null
group by
    movements.tenant_id, strftime(movements.available_on, '%Y-%m'), payments.provider, payments.method, customers.country, movements.currency
