-- Payouts and transfers against the lines of the bank statement, by the first rule that finds a line:
--   1 manual         a person said so
--   2 reference      the line names the payout, or the payment and its amount
--   3 amount         the only line of that amount and currency around the day of arrival, and the only payout of it
--   4 combination    the payouts of one day of arrival add up to the line
-- A line within two days before and five after the day of arrival is around it. What a person took apart no rule puts together again.
with

tenants as (

    select
        tenant_id,
        {{ local_date('billing_as_of', 'timezone') }} as today
    from {{ ref('stg_ratehouse__tenants') }}

),

bank_lines as (

    select * from {{ ref('stg_ratehouse__bank_lines') }}

),

payouts as (

    select *
    from {{ ref('stg_ratehouse__payouts') }}
    where coalesce(status, 'paid') not in ('failed', 'canceled', 'cancelled')

),

payments as (

    select * from {{ ref('stg_ratehouse__payments') }}
    where status = 'succeeded'

),

decisions as (

    select * from {{ ref('stg_ratehouse__manual_matches') }}
    where area = 'bank' and replaced_at is null

),

matches as (

    select * from decisions
    where action = 'match'

),

refusals as (

    select * from decisions
    where action = 'unmatch'

),

by_hand as (

    select
        matches.tenant_id,
        matches.match_id,
        bank_lines.bank_line_id,
        payouts.payout_id,
        payments.payment_id,
        coalesce(payouts.amount, payments.amount) as amount,
        'manual' as rule,
        matches.decided_by,
        matches.decided_at
    from matches
    inner join bank_lines
        on
            matches.tenant_id = bank_lines.tenant_id
            and matches.left_reference = bank_lines.bank_line_id
    left join payouts
        on
            matches.tenant_id = payouts.tenant_id
            and matches.right_reference = payouts.payout_id
            and bank_lines.currency = payouts.currency
    left join payments
        on
            matches.tenant_id = payments.tenant_id
            and matches.right_reference = payments.payment_id
            and bank_lines.currency = payments.currency
    where payouts.payout_id is not null or payments.payment_id is not null

),

-- What the other rules may still match.
free_lines as (

    select * from bank_lines
    where (tenant_id, bank_line_id) not in (select (tenant_id, bank_line_id) from by_hand)

),

free_payouts as (

    select * from payouts
    where (tenant_id, payout_id) not in (select (tenant_id, payout_id) from by_hand where payout_id is not null)

),

-- What a line says, in its text or as the sender's identity of the payment.
words as (

    select
        tenant_id,
        bank_line_id,
        unnest(string_split_regex(upper(reference), '[\s,;:()]+')) as word
    from free_lines
    union
    select
        tenant_id,
        bank_line_id,
        upper(end_to_end_id) as word
    from free_lines
    where end_to_end_id is not null

),

by_reference as (

    select distinct
        free_payouts.tenant_id,
        free_payouts.payout_id,
        words.bank_line_id,
        'reference' as rule
    from free_payouts
    inner join words
        on
            free_payouts.tenant_id = words.tenant_id
            and upper(free_payouts.payout_id) = words.word
    where
        (free_payouts.tenant_id, words.bank_line_id, free_payouts.payout_id)
        not in (select (tenant_id, left_reference, right_reference) from refusals)

),

around as (

    select
        free_payouts.tenant_id,
        free_payouts.payout_id,
        free_lines.bank_line_id
    from free_payouts
    inner join free_lines
        on
            free_payouts.tenant_id = free_lines.tenant_id
            and free_payouts.currency = free_lines.currency
            and free_payouts.amount = free_lines.amount
            and free_lines.value_on between free_payouts.arrival_on - 2 and free_payouts.arrival_on + 5
    where
        (free_payouts.tenant_id, free_payouts.payout_id) not in (select (tenant_id, payout_id) from by_reference)
        and (free_lines.tenant_id, free_lines.bank_line_id) not in (select (tenant_id, bank_line_id) from by_reference)
        and (free_payouts.tenant_id, free_lines.bank_line_id, free_payouts.payout_id)
        not in (select (tenant_id, left_reference, right_reference) from refusals)

),

by_amount as (

    select
        tenant_id,
        payout_id,
        bank_line_id,
        'amount' as rule
    from around
    qualify
        count(*) over (partition by tenant_id, payout_id) = 1
        and count(*) over (partition by tenant_id, bank_line_id) = 1

),

single as (

    select * from by_reference
    union all
    select * from by_amount

),

days as (

    select
        tenant_id,
        currency,
        arrival_on,
        list(payout_id order by payout_id) as payout_ids,
        sum(amount) as amount
    from free_payouts
    where (tenant_id, payout_id) not in (select (tenant_id, payout_id) from single)
    group by tenant_id, currency, arrival_on
    having count(*) > 1

),

by_combination as (

    select
        days.tenant_id,
        unnest(days.payout_ids) as payout_id,
        free_lines.bank_line_id,
        'combination' as rule
    from days
    inner join free_lines
        on
            days.tenant_id = free_lines.tenant_id
            and days.currency = free_lines.currency
            and days.amount = free_lines.amount
            and free_lines.value_on between days.arrival_on - 2 and days.arrival_on + 5
    left join refusals
        on
            days.tenant_id = refusals.tenant_id
            and free_lines.bank_line_id = refusals.left_reference
            and list_contains(days.payout_ids, refusals.right_reference)
    where
        (free_lines.tenant_id, free_lines.bank_line_id) not in (select (tenant_id, bank_line_id) from single)
        and refusals.match_id is null
    qualify
        count(*) over (partition by days.tenant_id, days.currency, days.arrival_on) = 1
        and count(*) over (partition by free_lines.tenant_id, free_lines.bank_line_id) = 1

),

by_rule as (

    select * from single
    union all
    select * from by_combination

),

transferred as (

    select distinct
        words.tenant_id,
        words.bank_line_id,
        payments.payment_id,
        payments.amount
    from words
    inner join bank_lines
        on
            words.tenant_id = bank_lines.tenant_id
            and words.bank_line_id = bank_lines.bank_line_id
    inner join payments
        on
            words.tenant_id = payments.tenant_id
            and words.word in (upper(payments.payment_id), upper(payments.provider_id), upper(payments.invoice_number), upper(payments.reference))
            and bank_lines.amount = payments.amount
            and bank_lines.currency = payments.currency
    where
        (words.tenant_id, words.bank_line_id) not in (select (tenant_id, bank_line_id) from by_rule)
        and (words.tenant_id, words.bank_line_id, payments.payment_id) not in (select (tenant_id, left_reference, right_reference) from refusals)
    qualify row_number() over (partition by words.tenant_id, words.bank_line_id order by payments.payment_id) = 1

),

-- What each line should hold: payouts or transfers, one or several.
matched as (

    select * exclude (match_id) from by_hand
    union all by name
    select
        by_rule.*,
        payouts.amount
    from by_rule
    inner join payouts
        on
            by_rule.tenant_id = payouts.tenant_id
            and by_rule.payout_id = payouts.payout_id
    union all by name
    select
        transferred.*,
        'reference' as rule
    from transferred

),

compared as (

    select
        tenant_id,
        bank_line_id,
        min(rule) as rule,
        min(payment_id) as payment_id,
        string_agg(coalesce(payout_id, payment_id), ', ' order by coalesce(payout_id, payment_id)) as counterpart,
        max_by(decided_by, decided_at) as decided_by,
        max(decided_at) as decided_at,
        sum(amount) as expected_amount
    from matched
    group by tenant_id, bank_line_id

),

-- Which other legal entity of the group a line names; see cash.
affiliated as (

    select
        bank_lines.tenant_id,
        bank_lines.bank_line_id,
        min(affiliates.entity) as entity
    from bank_lines
    inner join {{ ref('int_reconciliation__affiliates') }} as affiliates
        on
            bank_lines.tenant_id = affiliates.tenant_id
            and {{ names_prefix('bank_lines.reference', 'affiliates.number_prefix') }}
    group by bank_lines.tenant_id, bank_lines.bank_line_id

),

of_lines as (

    select
        bank_lines.tenant_id,
        case
            when compared.expected_amount = bank_lines.amount then 'matched'
            when compared.expected_amount is not null then 'amount_mismatch'
            when affiliated.entity is not null then 'entity_mismatch'
            else 'unapplied'
        end as status,
        bank_lines.bank_line_id as reference,
        compared.payment_id,
        compared.rule,
        coalesce(compared.counterpart, affiliated.entity) as counterpart,
        compared.decided_by,
        compared.decided_at,
        coalesce(compared.expected_amount, 0) as expected_amount,
        bank_lines.amount as actual_amount,
        bank_lines.currency,
        bank_lines.value_on as since_on
    from bank_lines
    left join compared
        on
            bank_lines.tenant_id = compared.tenant_id
            and bank_lines.bank_line_id = compared.bank_line_id
    left join affiliated
        on
            bank_lines.tenant_id = affiliated.tenant_id
            and bank_lines.bank_line_id = affiliated.bank_line_id

),

-- A decision that names what is not there, or what is in another currency.
without_effect as (

    select
        tenant_id,
        'match_without_effect' as status,
        left_reference || ' = ' || right_reference as reference,
        'unknown_reference' as rule,
        right_reference as counterpart,
        decided_by,
        decided_at,
        cast(decided_at as date) as since_on
    from matches
    where (tenant_id, match_id) not in (select (tenant_id, match_id) from by_hand)

),

-- A payout that the bank has not shown five days after it should have arrived.
missing as (

    select
        payouts.tenant_id,
        'missing_bank_line' as status,
        payouts.payout_id as reference,
        payouts.amount as expected_amount,
        cast(0 as decimal(20, 4)) as actual_amount,
        payouts.currency,
        payouts.arrival_on as since_on
    from payouts
    inner join tenants on payouts.tenant_id = tenants.tenant_id
    where
        payouts.arrival_on + 5 < tenants.today
        and (payouts.tenant_id, payouts.payout_id) not in (select (tenant_id, payout_id) from matched where payout_id is not null)

),

-- A statement that does not open with what the one before it closed with: one between them has not been brought in.
numbered as (

    select
        tenant_id,
        account,
        number,
        currency,
        closed_on,
        opened_on,
        opening_balance,
        lag(closing_balance) over (partition by tenant_id, account, currency order by closed_on, number) as expected_balance
    from {{ ref('stg_ratehouse__bank_statements') }}
    where number is not null

),

gaps as (

    select
        tenant_id,
        'missing_statement' as status,
        account || ' before ' || number || ' of ' || closed_on as reference,
        expected_balance as expected_amount,
        opening_balance as actual_amount,
        currency,
        opened_on as since_on
    from numbered
    where opening_balance <> expected_balance

),

items as (

    select * from of_lines
    union all by name
    select * from missing
    union all by name
    select * from gaps
    union all by name
    select * from without_effect

)

select
    items.tenant_id,
    'bank' as area,
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
