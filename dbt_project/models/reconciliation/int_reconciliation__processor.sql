-- The account with a payment processor: each movement against the payment or refund it is about, and each payout against the
-- movements it pays out. What a person decided comes first, and what a person took apart is not put together again.
with

tenants as (

    select
        tenant_id,
        {{ local_date('billing_as_of', 'timezone') }} as today,
        {{ local_date('known_as_of', 'timezone') }} as known_on
    from {{ ref('stg_ratehouse__tenants') }}

),

decisions as (

    select * from {{ ref('stg_ratehouse__manual_matches') }}
    where area = 'processor' and replaced_at is null

),

matches as (

    select * from decisions
    where action = 'match'

),

refusals as (

    select * from decisions
    where action = 'unmatch'

),

transactions as (

    select * from {{ ref('int_reconciliation__movements') }}

),

payouts as (

    select * from {{ ref('stg_ratehouse__payouts') }}

),

payments as (

    select * from {{ ref('stg_ratehouse__payments') }}

),

refunds as (

    select *
    from {{ ref('stg_ratehouse__refund_states') }}
    qualify row_number() over (partition by tenant_id, refund_id order by state_no desc) = 1

),

currencies as (

    select * from {{ ref('currencies') }}

),

named_by_hand as (

    select
        matches.tenant_id,
        matches.left_reference as balance_transaction_id,
        coalesce(payments.payment_id, refunds.payment_id) as payment_id,
        coalesce(payments.amount, -refunds.amount) as amount,
        coalesce(payments.currency, refunds.currency) as currency,
        'manual' as rule,
        matches.right_reference as counterpart,
        matches.decided_by,
        matches.decided_at,
        matches.match_id
    from matches
    inner join transactions
        on
            matches.tenant_id = transactions.tenant_id
            and matches.left_reference = transactions.balance_transaction_id
    left join payments
        on
            matches.tenant_id = payments.tenant_id
            and matches.right_reference = payments.payment_id
    left join refunds
        on
            matches.tenant_id = refunds.tenant_id
            and matches.right_reference = refunds.refund_id
    where payments.payment_id is not null or refunds.refund_id is not null
    qualify row_number() over (
        partition by matches.tenant_id, matches.left_reference order by matches.decided_at desc, matches.match_id
    ) = 1

),

-- By exact identity: the payment's own, or the one the processor gave it.
charged as (

    select
        transactions.tenant_id,
        transactions.balance_transaction_id,
        payments.payment_id,
        payments.amount,
        payments.currency,
        case when transactions.source_id = payments.payment_id then 'payment_id' else 'provider_id' end as rule,
        payments.payment_id as counterpart
    from transactions
    inner join payments
        on
            transactions.tenant_id = payments.tenant_id
            and transactions.source_id in (payments.payment_id, payments.provider_id)
    where
        transactions.reporting_category in ('charge', 'payment')
        and (transactions.tenant_id, transactions.balance_transaction_id) not in (select (tenant_id, balance_transaction_id) from named_by_hand)
        and (transactions.tenant_id, transactions.balance_transaction_id, payments.payment_id)
        not in (select (tenant_id, left_reference, right_reference) from refusals)
    qualify row_number() over (
        partition by transactions.tenant_id, transactions.balance_transaction_id order by transactions.source_id = payments.payment_id desc, payments.payment_id
    ) = 1

),

sent_back as (

    select
        transactions.tenant_id,
        transactions.balance_transaction_id,
        refunds.payment_id,
        -refunds.amount as amount,
        refunds.currency,
        'refund_id' as rule,
        refunds.refund_id as counterpart
    from transactions
    inner join refunds
        on
            transactions.tenant_id = refunds.tenant_id
            and transactions.source_id = refunds.refund_id
    where
        transactions.reporting_category = 'refund'
        and (transactions.tenant_id, transactions.balance_transaction_id) not in (select (tenant_id, balance_transaction_id) from named_by_hand)
        and (transactions.tenant_id, transactions.balance_transaction_id, refunds.refund_id)
        not in (select (tenant_id, left_reference, right_reference) from refusals)

),

found as (

    select * from charged
    union all by name
    select * from sent_back
    union all by name
    select * exclude (match_id) from named_by_hand

),

-- What the payment comes to in the currency of the account, at the rate that the processor used.
converted as (

    select
        transactions.tenant_id,
        transactions.balance_transaction_id,
        transactions.source_id,
        transactions.reporting_category,
        transactions.gross,
        transactions.fee,
        transactions.currency,
        transactions.available_on,
        found.payment_id,
        found.rule,
        found.counterpart,
        found.decided_by,
        found.decided_at,
        case
            when found.currency = transactions.currency then found.amount
            when transactions.exchange_rate is not null
                then {{ round_money('cast(found.amount * transactions.exchange_rate as decimal(38, 22))', 'currencies.minor_digits', "'half_up'") }}
        end as expected_amount,
        found.payment_id is null and transactions.reporting_category in ('charge', 'payment') as is_unknown_payment,
        found.rule is null and transactions.reporting_category = 'refund' as is_unknown_refund,
        found.rule is not null as is_found
    from transactions
    inner join currencies on transactions.currency = currencies.currency
    left join found
        on
            transactions.tenant_id = found.tenant_id
            and transactions.balance_transaction_id = found.balance_transaction_id

),

of_transactions as (

    select
        tenant_id,
        case
            when is_unknown_payment then 'missing_payment'
            when is_unknown_refund then 'missing_refund'
            when expected_amount is null then 'wrong_currency'
            when expected_amount <> gross then 'amount_mismatch'
            else 'matched'
        end as status,
        balance_transaction_id as reference,
        payment_id,
        rule,
        counterpart,
        decided_by,
        decided_at,
        expected_amount,
        gross as actual_amount,
        currency,
        available_on as since_on
    from converted
    where is_found or is_unknown_payment or is_unknown_refund

),

-- Movements that are neither of a payment, a refund or a dispute nor the processor's own fee: reserves, top-ups, transfers, adjustments.
unexplained as (

    select
        tenant_id,
        'unapplied' as status,
        balance_transaction_id as reference,
        cast(0 as decimal(20, 4)) as expected_amount,
        gross as actual_amount,
        currency,
        available_on as since_on
    from transactions
    where
        reporting_category not in (
            'charge', 'payment', 'charge_failure', 'payment_failure_refund', 'payment_reversal', 'partial_capture_reversal',
            'refund', 'payment_refund', 'refund_failure', 'dispute', 'dispute_reversal',
            'fee', 'stripe_fee', 'stripe_fx_fee', 'network_cost', 'tax', 'tax_fee', 'payout_failure', 'payout_cancel'
        )
        and (tenant_id, balance_transaction_id) not in (select (tenant_id, balance_transaction_id) from found)
        and (tenant_id, coalesce(source_id, '')) not in (select (tenant_id, dispute_id) from {{ ref('stg_ratehouse__dispute_states') }})

),

-- What the processor agreed to take (tenant.yaml, `collection.fees`): the first of the terms that fits a payment.
fee_terms as (

    select
        tenant_id,
        rounding_mode,
        unnest({{ json_elements(json_part('document', 'collection.fees')) }}) as document,
        generate_subscripts({{ json_elements(json_part('document', 'collection.fees')) }}, 1) as term_no
    from {{ ref('stg_ratehouse__tenants') }}

),

agreed as (

    select
        converted.tenant_id,
        converted.balance_transaction_id,
        converted.payment_id,
        converted.fee,
        converted.currency,
        converted.available_on,
        payments.method,
        coalesce(cast({{ json_text('fee_terms.document', 'tolerance') }} as decimal(20, 4)), 0) as tolerance,
        {{ round_money(
            "cast(converted.gross * cast(" ~ json_text('fee_terms.document', 'percent') ~ " as decimal(28, 12)) * 0.01 + cast(" ~ json_text('fee_terms.document', 'fixed') ~ " as decimal(20, 4)) as decimal(38, 22))",
            'currencies.minor_digits', 'fee_terms.rounding_mode'
        ) }} as agreed_fee
    from converted
    inner join payments
        on
            converted.tenant_id = payments.tenant_id
            and converted.payment_id = payments.payment_id
    left join {{ ref('int_subscriptions__customers') }} as customers
        on
            payments.tenant_id = customers.tenant_id
            and payments.customer_id = customers.customer_id
    inner join fee_terms
        on
            converted.tenant_id = fee_terms.tenant_id
            and coalesce({{ json_text('fee_terms.document', 'country') }}, customers.country, '') = coalesce(customers.country, '')
            and coalesce({{ json_text('fee_terms.document', 'provider') }}, payments.provider) is not distinct from payments.provider
            and coalesce(lower({{ json_text('fee_terms.document', 'method') }}), lower(payments.method), '') = coalesce(lower(payments.method), '')
            and coalesce({{ json_text('fee_terms.document', 'currency') }}, converted.currency) = converted.currency
    inner join currencies on converted.currency = currencies.currency
    where converted.reporting_category in ('charge', 'payment')
    qualify row_number() over (partition by converted.tenant_id, converted.balance_transaction_id order by fee_terms.term_no) = 1

),

of_fees as (

    select
        tenant_id,
        'fee_variance' as status,
        balance_transaction_id as reference,
        payment_id,
        'fees' as rule,
        method as counterpart,
        cast(agreed_fee as decimal(20, 4)) as expected_amount,
        fee as actual_amount,
        currency,
        available_on as since_on
    from agreed
    where abs(fee - agreed_fee) > tolerance

),

-- Payments that the processor does not show, where its movements are known up to a later day.
unseen as (

    select
        payments.tenant_id,
        'missing_transaction' as status,
        payments.payment_id as reference,
        payments.payment_id,
        payments.amount as expected_amount,
        cast(0 as decimal(20, 4)) as actual_amount,
        payments.currency,
        cast(payments.recorded_at as date) as since_on
    from payments
    inner join (
        select tenant_id, max(recorded_at) as recorded_at
        from transactions
        group by tenant_id
    ) as seen on payments.tenant_id = seen.tenant_id
    left join (select distinct tenant_id, payment_id from found) as found_payments
        on
            payments.tenant_id = found_payments.tenant_id
            and payments.payment_id = found_payments.payment_id
    where
        payments.status = 'succeeded'
        and payments.provider_id is not null
        and found_payments.payment_id is null
        and payments.recorded_at < seen.recorded_at

),

-- What should have been paid out three days after it was available.
waiting as (

    select
        transactions.tenant_id,
        'missing_payout' as status,
        transactions.balance_transaction_id as reference,
        transactions.net as expected_amount,
        cast(0 as decimal(20, 4)) as actual_amount,
        transactions.currency,
        transactions.available_on as since_on
    from transactions
    inner join tenants on transactions.tenant_id = tenants.tenant_id
    left join payouts
        on
            transactions.tenant_id = payouts.tenant_id
            and transactions.payout_id = payouts.payout_id
    where payouts.payout_id is null and transactions.available_on + 3 < tenants.today

),

paid_out as (

    select
        tenant_id,
        payout_id,
        sum(net) as net,
        max_by(payout_decided_by, payout_decided_at) as decided_by,
        max(payout_decided_at) as decided_at
    from transactions
    where payout_id is not null
    group by tenant_id, payout_id

),

-- Only automatic payouts name their movements; one made by hand has none to compare.
of_payouts as (

    select
        payouts.tenant_id,
        case
            when payouts.status in ('failed', 'canceled', 'cancelled') then 'payout_failed'
            when coalesce(paid_out.net, 0) <> payouts.amount then 'payout_mismatch'
            else 'matched'
        end as status,
        payouts.payout_id as reference,
        case when paid_out.decided_at is null then 'payout_id' else 'manual' end as rule,
        paid_out.decided_by,
        paid_out.decided_at,
        coalesce(paid_out.net, 0) as expected_amount,
        payouts.amount as actual_amount,
        payouts.currency,
        payouts.arrival_on as since_on
    from payouts
    left join paid_out
        on
            payouts.tenant_id = paid_out.tenant_id
            and payouts.payout_id = paid_out.payout_id
    where payouts.automatic is distinct from false or paid_out.payout_id is not null or payouts.status in ('failed', 'canceled', 'cancelled')

),

-- A decision that names what is not there.
without_effect as (

    select
        matches.tenant_id,
        'match_without_effect' as status,
        matches.left_reference || ' = ' || matches.right_reference as reference,
        'unknown_reference' as rule,
        matches.right_reference as counterpart,
        matches.decided_by,
        matches.decided_at,
        cast(matches.decided_at as date) as since_on
    from matches
    where
        (matches.tenant_id, matches.match_id) not in (
            select (tenant_id, match_id) from named_by_hand
            union all
            select (tenant_id, payout_match_id) from transactions
            where payout_match_id is not null
        )

),

items as (

    select * from of_transactions
    union all by name
    select * from unexplained
    union all by name
    select * from of_fees
    union all by name
    select * from without_effect
    union all by name
    select * from unseen
    union all by name
    select * from waiting
    union all by name
    select * from of_payouts

)

select
    items.tenant_id,
    'processor' as area,
    items.status,
    items.reference,
    items.rule,
    items.counterpart,
    items.decided_by,
    items.decided_at,
    items.payment_id,
    cast(items.expected_amount as decimal(20, 4)) as expected_amount,
    cast(items.actual_amount as decimal(20, 4)) as actual_amount,
    cast(items.actual_amount - items.expected_amount as decimal(20, 4)) as difference,
    items.currency,
    cast(greatest(datediff('day', items.since_on, tenants.today), 0) as integer) as age_days
from items
inner join tenants on items.tenant_id = tenants.tenant_id
