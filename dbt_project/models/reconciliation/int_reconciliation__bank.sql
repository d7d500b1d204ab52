-- Payouts and transfers against the lines of the bank statement, by the first rule that finds a line:
--   1 reference      the line names the payout, or the payment and its amount
--   2 amount         the only line of that amount and currency around the day of arrival, and the only payout of it
--   3 combination    the payouts of one day of arrival add up to the line
-- A line within two days before and five after the day of arrival is around it.
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

words as (

    select
        tenant_id,
        bank_line_id,
        unnest(string_split_regex(upper(reference), '[\s,;:()]+')) as word
    from bank_lines

),

by_reference as (

    select distinct
        payouts.tenant_id,
        payouts.payout_id,
        words.bank_line_id,
        'reference' as rule
    from payouts
    inner join words
        on
            payouts.tenant_id = words.tenant_id
            and upper(payouts.payout_id) = words.word

),

around as (

    select
        payouts.tenant_id,
        payouts.payout_id,
        bank_lines.bank_line_id
    from payouts
    inner join bank_lines
        on
            payouts.tenant_id = bank_lines.tenant_id
            and payouts.currency = bank_lines.currency
            and payouts.amount = bank_lines.amount
            and bank_lines.value_on between payouts.arrival_on - 2 and payouts.arrival_on + 5
    where
        (payouts.tenant_id, payouts.payout_id) not in (select (tenant_id, payout_id) from by_reference)
        and (bank_lines.tenant_id, bank_lines.bank_line_id) not in (select (tenant_id, bank_line_id) from by_reference)

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
    from payouts
    where (tenant_id, payout_id) not in (select (tenant_id, payout_id) from single)
    group by tenant_id, currency, arrival_on
    having count(*) > 1

),

by_combination as (

    select
        days.tenant_id,
        unnest(days.payout_ids) as payout_id,
        bank_lines.bank_line_id,
        'combination' as rule
    from days
    inner join bank_lines
        on
            days.tenant_id = bank_lines.tenant_id
            and days.currency = bank_lines.currency
            and days.amount = bank_lines.amount
            and bank_lines.value_on between days.arrival_on - 2 and days.arrival_on + 5
    where (bank_lines.tenant_id, bank_lines.bank_line_id) not in (select (tenant_id, bank_line_id) from single)
    qualify
        count(*) over (partition by days.tenant_id, days.currency, days.arrival_on) = 1
        and count(*) over (partition by bank_lines.tenant_id, bank_lines.bank_line_id) = 1

),

matched as (

    select * from single
    union all
    select * from by_combination

),

-- What a line should hold: one payout or several; and what payouts should have brought: one line or several.
compared as (

    select
        matched.tenant_id,
        matched.bank_line_id,
        min(matched.rule) as rule,
        min(matched.payout_id) as payout_id,
        sum(payouts.amount) as expected_amount
    from matched
    inner join payouts
        on
            matched.tenant_id = payouts.tenant_id
            and matched.payout_id = payouts.payout_id
    group by matched.tenant_id, matched.bank_line_id

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
    qualify row_number() over (partition by words.tenant_id, words.bank_line_id order by payments.payment_id) = 1

),

of_lines as (

    select
        bank_lines.tenant_id,
        case
            when compared.expected_amount = bank_lines.amount or transferred.payment_id is not null then 'matched'
            when compared.expected_amount is not null then 'amount_mismatch'
            else 'unapplied'
        end as status,
        bank_lines.bank_line_id as reference,
        transferred.payment_id,
        case when transferred.payment_id is not null then 'reference' else compared.rule end as rule,
        coalesce(compared.expected_amount, transferred.amount, 0) as expected_amount,
        bank_lines.amount as actual_amount,
        bank_lines.currency,
        bank_lines.value_on as since_on
    from bank_lines
    left join compared
        on
            bank_lines.tenant_id = compared.tenant_id
            and bank_lines.bank_line_id = compared.bank_line_id
    left join transferred
        on
            bank_lines.tenant_id = transferred.tenant_id
            and bank_lines.bank_line_id = transferred.bank_line_id
            and compared.bank_line_id is null

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
        and (payouts.tenant_id, payouts.payout_id) not in (select (tenant_id, payout_id) from matched)

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

)

select
    items.tenant_id,
    'bank' as area,
    items.status,
    items.reference,
    items.rule,
    items.payment_id,
    cast(items.expected_amount as decimal(20, 4)) as expected_amount,
    cast(items.actual_amount as decimal(20, 4)) as actual_amount,
    cast(items.actual_amount - items.expected_amount as decimal(20, 4)) as difference,
    items.currency,
    cast(greatest(datediff('day', items.since_on, tenants.today), 0) as integer) as age_days
from items
inner join tenants on items.tenant_id = tenants.tenant_id
