-- Money of customers whose documents we issue, on the day it became known: payments and what they are applied to, refunds, disputes, the
-- processor's fees and payouts, the credit that documents drew, what was given up, and what people accepted. With a processor it goes through clearing
-- until the processor pays out.
with

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

payments as (

    select
        *,
        {{ money_role('method', 'provider') }} as money_role
    from {{ ref('stg_ratehouse__payments') }}

),

flows as (

    select * from {{ ref('int_payments__flows') }}

),

-- What the customer's account moved. Money waits as unapplied until it is applied; money that went back and was not waiting opens what
-- it had paid. A dispute that is lost or won after all moves what the dispute holds.
moved as (

    select
        postings.tenant_id,
        case when flows.source_type = 'payment' or postings.kind in ('applied', 'released', 'unmatched', 'held', 'freed') then 'payment' else flows.source_type end as kind,
        coalesce(case when postings.kind in ('applied', 'released', 'unmatched', 'held', 'freed') then postings.payment_id end, flows.source_id) as source_id,
        {{ local_date('postings.moved_at', 'tenants.timezone') }} as posted_on,
        payments.customer_id,
        payments.currency,
        case when postings.kind = 'applied' then postings.invoice_id end as invoice_id,
        case postings.kind
            when 'received' then [
                { 'role': case when flows.source_type = 'dispute' then 'disputes' else payments.money_role end, 'amount': postings.amount },
                { 'role': 'unapplied_cash', 'amount': -postings.amount }
            ]
            when 'applied' then [
                { 'role': 'unapplied_cash', 'amount': postings.amount },
                { 'role': 'receivable', 'amount': -postings.amount }
            ]
            when 'unmatched' then [
                { 'role': 'receivable', 'amount': postings.amount },
                { 'role': 'unapplied_cash', 'amount': -postings.amount }
            ]
            when 'released' then [
                { 'role': 'receivable', 'amount': postings.amount },
                { 'role': 'unapplied_cash', 'amount': -postings.amount }
            ]
            when 'returned' then [
                { 'role': 'receivable', 'amount': postings.amount },
                { 'role': case when flows.source_type = 'dispute' then 'disputes' else payments.money_role end, 'amount': -postings.amount }
            ]
            when 'held' then [
                { 'role': 'unapplied_cash', 'amount': postings.amount },
                { 'role': 'intercompany', 'amount': -postings.amount }
            ]
            when 'freed' then [
                { 'role': 'intercompany', 'amount': postings.amount },
                { 'role': 'unapplied_cash', 'amount': -postings.amount }
            ]
            when 'returned_from_held' then [
                { 'role': 'intercompany', 'amount': postings.amount },
                { 'role': 'receivable', 'amount': -postings.amount }
            ]
            when 'granted_again' then [
                { 'role': 'unapplied_cash', 'amount': postings.amount },
                { 'role': 'receivable', 'amount': -postings.amount }
            ]
            when 'returned_from_rest' then [
                { 'role': 'unapplied_cash', 'amount': postings.amount },
                { 'role': 'receivable', 'amount': -postings.amount }
            ]
        end as sides
    from {{ ref('int_payments__postings') }} as postings
    inner join payments
        on
            postings.tenant_id = payments.tenant_id
            and postings.payment_id = payments.payment_id
    inner join tenants on postings.tenant_id = tenants.tenant_id
    left join flows
        on
            postings.tenant_id = flows.tenant_id
            and postings.flow_id = flows.flow_id
    where postings.kind in (
            'received', 'applied', 'released', 'unmatched', 'held', 'freed', 'granted_again', 'returned', 'returned_from_rest',
            'returned_from_held'
        )

),

-- What each telling of a dispute says of the money that is away, and of its fee so far. Several tellings of one fee are one fee.
dispute_states as (

    select
        *,
        case when stage in ('open', 'lost', 'partially_lost') then amount else 0 end as away_amount,
        coalesce(last_value(fee ignore nulls) over (partition by tenant_id, dispute_id order by state_no), 0) as fee_so_far
    from {{ ref('stg_ratehouse__dispute_states') }}

),

-- A dispute takes the money and waits for its outcome; what is won comes back.
disputed as (

    select
        disputes.tenant_id,
        'dispute' as kind,
        disputes.dispute_id as source_id,
        {{ local_date('disputes.recorded_at', 'tenants.timezone') }} as posted_on,
        payments.customer_id,
        disputes.currency,
        cast(null as varchar) as invoice_id,
        [
            { 'role': 'disputes', 'amount': disputes.away_change },
            { 'role': payments.money_role, 'amount': -disputes.away_change },
            { 'role': 'fees', 'amount': disputes.fee_change },
            { 'role': payments.money_role, 'amount': -disputes.fee_change }
        ] as sides
    from (
        select
            *,
            away_amount - coalesce(lag(away_amount) over telling, 0) as away_change,
            fee_so_far - coalesce(lag(fee_so_far) over telling, 0) as fee_change
        from dispute_states
        window telling as (partition by tenant_id, dispute_id order by state_no)
    ) as disputes
    inner join payments
        on
            disputes.tenant_id = payments.tenant_id
            and disputes.payment_id = payments.payment_id
    inner join tenants on disputes.tenant_id = tenants.tenant_id

),

-- What the processor takes for its movements, and the movements that are its fees. The fee of a dispute is the dispute's.
fees as (

    select
        movements.tenant_id,
        'fee' as kind,
        movements.balance_transaction_id as source_id,
        movements.available_on as posted_on,
        cast(null as varchar) as customer_id,
        movements.currency,
        cast(null as varchar) as invoice_id,
        [
            { 'role': 'fees', 'amount': movements.taken },
            { 'role': 'clearing', 'amount': -movements.taken }
        ] as sides
    from (
        select
            *,
            case when source_id in (select dispute_id from dispute_states where dispute_states.tenant_id = balance_transactions.tenant_id) then 0 else fee end
            - case when {{ is_processor_fee('reporting_category') }} then gross else 0 end as taken
        from {{ ref('stg_ratehouse__balance_transactions') }} as balance_transactions
    ) as movements
    where movements.taken <> 0 and movements.available_on is not null

),

exchanged as (

    select
        tenant_id,
        'exchange' as kind,
        balance_transaction_id as source_id,
        moved_on as posted_on,
        cast(null as varchar) as customer_id,
        currency,
        cast(null as varchar) as invoice_id,
        [
            { 'role': 'fx_gain_loss', 'amount': -amount },
            { 'role': 'clearing', 'amount': amount }
        ] as sides
    from {{ ref('int_accounting__exchanges') }}

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

-- What is given up is a loss; what comes in after all takes it back, or is income of its own where the tenant has an account for it.
given_up as (

    select
        given_up.tenant_id,
        unnest(['write_off', 'recovery']) as kind,
        unnest([given_up.invoice_id, concat_ws('|', given_up.invoice_id, given_up.payment_id)]) as source_id,
        {{ local_date('given_up.moved_at', 'tenants.timezone') }} as posted_on,
        invoices.customer_id,
        invoices.currency,
        given_up.invoice_id,
        unnest([
            [
                { 'role': 'bad_debt', 'amount': given_up.amount + given_up.recovered_amount },
                { 'role': 'receivable', 'amount': -given_up.amount - given_up.recovered_amount }
            ],
            [
                { 'role': 'receivable', 'amount': given_up.recovered_amount },
                {
                    'role': case when {{ has_account('tenants.document', 'recovery_income') }} then 'recovery_income' else 'bad_debt' end,
                    'amount': -given_up.recovered_amount
                }
            ]
        ]) as sides
    from {{ ref('int_payments__given_up') }} as given_up
    inner join {{ ref('stg_ratehouse__issued_invoices') }} as invoices
        on
            given_up.tenant_id = invoices.tenant_id
            and given_up.invoice_id = invoices.invoice_id
    inner join tenants on given_up.tenant_id = tenants.tenant_id

),

-- What of the open amounts will not be paid, as it changes from one month end to the next, where the tenant has an account for it.
allowed as (

    select
        allowances.tenant_id,
        'allowance' as kind,
        allowances.currency as source_id,
        allowances.as_of as posted_on,
        cast(null as varchar) as customer_id,
        allowances.currency,
        cast(null as varchar) as invoice_id,
        [
            { 'role': 'bad_debt', 'amount': allowances.change },
            { 'role': 'allowance', 'amount': -allowances.change }
        ] as sides
    from (
        select
            tenant_id,
            currency,
            as_of,
            allowance - coalesce(lag(allowance) over (partition by tenant_id, currency order by as_of), 0) as change
        from {{ ref('int_accounting__allowances') }}
    ) as allowances
    inner join tenants on allowances.tenant_id = tenants.tenant_id
    where {{ has_account('tenants.document', 'allowance') }}

),

-- A tax that the customer keeps is owed by its tax office once it is certified; until then the certificate is what is owed.
withheld as (

    select
        withholdings.tenant_id,
        'withholding' as kind,
        withholdings.invoice_id as source_id,
        {{ local_date('withholdings.moved_at', 'tenants.timezone') }} as posted_on,
        invoices.customer_id,
        invoices.currency,
        withholdings.invoice_id,
        [
            { 'role': 'withholding_receivable', 'amount': withholdings.withheld_change - withholdings.certified_change },
            { 'role': 'withheld_tax', 'amount': withholdings.certified_change },
            { 'role': 'receivable', 'amount': -withholdings.withheld_change }
        ] as sides
    from {{ ref('int_payments__withholdings') }} as withholdings
    inner join {{ ref('stg_ratehouse__issued_invoices') }} as invoices
        on
            withholdings.tenant_id = invoices.tenant_id
            and withholdings.invoice_id = invoices.invoice_id
    inner join tenants on withholdings.tenant_id = tenants.tenant_id

),

-- What a person let stand of a difference of the bank or the processor, from the day of the decision until it is withdrawn.
accepted as (

    select
        decisions.tenant_id,
        'acceptance' as kind,
        decisions.acceptance_id as source_id,
        {{ local_date('decisions.at', 'tenants.timezone') }} as posted_on,
        cast(null as varchar) as customer_id,
        decisions.currency,
        cast(null as varchar) as invoice_id,
        [
            { 'role': case decisions.area when 'bank' then 'cash' else 'clearing' end, 'amount': decisions.amount },
            { 'role': decisions.account_role, 'amount': -decisions.amount }
        ] as sides
    from (
        select
            *,
            decided_at as at
        from {{ ref('stg_ratehouse__manual_acceptances') }}
        union all by name
        select
            * replace (-amount as amount),
            replaced_at as at
        from {{ ref('stg_ratehouse__manual_acceptances') }}
        where replaced_at is not null
    ) as decisions
    inner join tenants on decisions.tenant_id = tenants.tenant_id
    where {{ is_booked_acceptance('decisions') }}

),

sided as (

    select
        * exclude (sides),
        unnest(sides) as side
    from (
        select * from moved
        union all
        select * from disputed
        union all
        select * from fees
        union all
        select * from exchanged
        union all
        select * from payouts
        union all
        select * from draws
        union all
        select * from given_up
        union all
        select * from allowed
        union all
        select * from withheld
        union all
        select * from accepted
    ) as every

)

select
    sided.tenant_id,
    sided.kind,
    sided.source_id as owner,
    sided.posted_on,
    strftime(sided.posted_on, '%Y-%m') as performance_period,
    sided.side.role as account_role,
    sided.currency,
    min(currencies.minor_digits) as minor_digits,
    case when count(distinct sided.invoice_id) = 1 then min(sided.invoice_id) end as invoice_id,
    concat_ws('|', sided.customer_id, sided.currency) as sub_ledger,
    cast(sum({{ to_minor('sided.side.amount', 'currencies.minor_digits') }}) as hugeint) as amount
from sided
inner join currencies on sided.currency = currencies.currency
inner join tenants on sided.tenant_id = tenants.tenant_id
where sided.posted_on <= {{ local_date('tenants.billing_as_of', 'tenants.timezone') }}
group by
    sided.tenant_id, sided.kind, sided.source_id, sided.posted_on, sided.side.role, sided.currency, concat_ws('|', sided.customer_id, sided.currency)
having sum(sided.side.amount) <> 0
