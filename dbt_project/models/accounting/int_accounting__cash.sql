-- Money of customers whose documents we issue: payments, refunds, disputes, the processor's fees and payouts, and the credit that
-- documents drew. With a processor it goes through clearing until the processor pays out.
with

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

payments as (

    select
        payments.*,
        {{ local_date('coalesce(payments.settled_at, payments.attempted_at)', 'tenants.timezone') }} as posted_on,
        case when payments.provider is null then 'cash' else 'clearing' end as money_role
    from {{ ref('stg_ratehouse__payments') }} as payments
    inner join tenants on payments.tenant_id = tenants.tenant_id

),

received as (

    select
        tenant_id,
        'payment' as kind,
        payment_id as source_id,
        posted_on,
        customer_id,
        currency,
        cast(null as varchar) as invoice_id,
        [
            { 'role': money_role, 'amount': amount },
            { 'role': 'receivable', 'amount': -amount }
        ] as sides
    from payments
    where status = 'succeeded'

),

refunded as (

    select
        refunds.tenant_id,
        'refund' as kind,
        refunds.refund_id as source_id,
        {{ local_date('refunds.effective_at', 'tenants.timezone') }} as posted_on,
        payments.customer_id,
        refunds.currency,
        cast(null as varchar) as invoice_id,
        [
            { 'role': 'receivable', 'amount': refunds.amount },
            { 'role': payments.money_role, 'amount': -refunds.amount }
        ] as sides
    from {{ ref('stg_ratehouse__refund_states') }} as refunds
    inner join payments
        on
            refunds.tenant_id = payments.tenant_id
            and refunds.payment_id = payments.payment_id
    inner join tenants on refunds.tenant_id = tenants.tenant_id
    where refunds.replaced_at is null and coalesce(refunds.status, 'succeeded') = 'succeeded'

),

-- An open dispute takes the money and waits for its outcome; won, the money comes back; lost, the customer owes it again.
disputed as (

    select
        disputes.tenant_id,
        'dispute' as kind,
        concat_ws('|', disputes.dispute_id, disputes.stage) as source_id,
        {{ local_date('disputes.effective_at', 'tenants.timezone') }} as posted_on,
        payments.customer_id,
        disputes.currency,
        cast(null as varchar) as invoice_id,
        [
            {
                'role': 'disputes',
                'amount': case when disputes.stage = 'open' then disputes.amount else -disputes.amount end
            },
            {
                'role': case when disputes.stage in ('open', 'won') then payments.money_role else 'receivable' end,
                'amount': case when disputes.stage = 'open' then -disputes.amount else disputes.amount end
            },
            { 'role': 'fees', 'amount': coalesce(disputes.fee, 0) },
            { 'role': payments.money_role, 'amount': -coalesce(disputes.fee, 0) }
        ] as sides
    from {{ ref('stg_ratehouse__dispute_states') }} as disputes
    inner join payments
        on
            disputes.tenant_id = payments.tenant_id
            and disputes.payment_id = payments.payment_id
    inner join tenants on disputes.tenant_id = tenants.tenant_id
    where disputes.stage in ('open', 'won', 'lost')

),

fees as (

    select
        tenant_id,
        'fee' as kind,
        balance_transaction_id as source_id,
        available_on as posted_on,
        cast(null as varchar) as customer_id,
        currency,
        cast(null as varchar) as invoice_id,
        [
            { 'role': 'fees', 'amount': fee },
            { 'role': 'clearing', 'amount': -fee }
        ] as sides
    from {{ ref('stg_ratehouse__balance_transactions') }}
    where fee <> 0 and available_on is not null

),

payouts as (

    select
        tenant_id,
        'payout' as kind,
        payout_id as source_id,
        arrival_on as posted_on,
        cast(null as varchar) as customer_id,
        currency,
        cast(null as varchar) as invoice_id,
        [
            { 'role': 'cash', 'amount': amount },
            { 'role': 'clearing', 'amount': -amount }
        ] as sides
    from {{ ref('stg_ratehouse__payouts') }}
    where coalesce(status, 'paid') = 'paid' and arrival_on is not null

),

-- What was paid for in advance settles the document; a gift lowers revenue. The rest of a credit note already lowered the receivable.
draws as (

    select
        draws.tenant_id,
        'draw' as kind,
        concat_ws('|', draws.invoice_id, draws.grant_id) as source_id,
        draws.drawn_on as posted_on,
        draws.customer_id,
        draws.currency,
        draws.invoice_id,
        [
            { 'role': case grants.kind when 'promotional' then 'contra_revenue' else 'unapplied_cash' end, 'amount': draws.amount },
            { 'role': 'receivable', 'amount': -draws.amount }
        ] as sides
    from {{ ref('stg_ratehouse__credit_draws') }} as draws
    inner join {{ ref('stg_ratehouse__credit_grants') }} as grants
        on
            draws.tenant_id = grants.tenant_id
            and draws.grant_id = grants.grant_id

),

moved as (

    select * from received
    union all
    select * from refunded
    union all
    select * from disputed
    union all
    select * from fees
    union all
    select * from payouts
    union all
    select * from draws

),

sided as (

    select
        * exclude (sides),
        unnest(sides) as side
    from moved

)

select
    sided.tenant_id,
    sided.kind,
    sided.source_id as owner,
    sided.posted_on,
    strftime(sided.posted_on, '%Y-%m') as performance_period,
    sided.currency,
    currencies.minor_digits,
    cast(null as varchar) as contract_id,
    sided.invoice_id,
    concat_ws('|', sided.customer_id, sided.currency) as sub_ledger,
    { 'role': sided.side.role, 'amount': cast({{ to_minor('sided.side.amount', 'currencies.minor_digits') }} as hugeint) } as line
from sided
inner join currencies on sided.currency = currencies.currency
inner join tenants on sided.tenant_id = tenants.tenant_id
where
    sided.side.amount <> 0
    and sided.posted_on <= {{ local_date('tenants.billing_as_of', 'tenants.timezone') }}
