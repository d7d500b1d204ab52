-- Open receivables of a foreign currency at the closing rate of every complete month (ASC 830-20-35, IAS 21.23), taken back on the
-- first of the next. Contract liabilities are no money and keep the rate they came in with.
with

lines as (

    select * from {{ ref('int_accounting__functional_lines') }}
    where account_role = 'receivable' and currency <> functional_currency

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

rates as (

    select * from {{ ref('int_accounting__rates') }}

),

holders as (

    select
        lines.tenant_id,
        lines.sub_ledger,
        lines.currency,
        lines.minor_digits,
        lines.functional_currency,
        lines.functional_digits,
        min(lines.posted_on) as first_on,
        case when count(distinct lines.contract_id) = 1 then min(lines.contract_id) end as contract_id,
        any_value(tenants.billing_as_of) as billing_as_of,
        any_value(tenants.timezone) as timezone
    from lines
    inner join tenants on lines.tenant_id = tenants.tenant_id
    group by lines.tenant_id, lines.sub_ledger, lines.currency, lines.minor_digits, lines.functional_currency, lines.functional_digits

),

months as (

    select
        *,
        last_day(cast(unnest(generate_series(
            cast(date_trunc('month', first_on) as timestamp),
            cast(date_trunc('month', {{ local_date('billing_as_of', 'timezone') }}) as timestamp) - to_days(1),
            to_months(1)
        )) as date)) as as_of
    from holders

),

open_amounts as (

    select
        months.tenant_id,
        months.sub_ledger,
        months.currency,
        months.minor_digits,
        months.functional_currency,
        months.functional_digits,
        months.contract_id,
        months.as_of,
        sum(lines.amount) as amount,
        sum(lines.functional_amount) as functional_amount
    from months
    inner join lines
        on
            months.tenant_id = lines.tenant_id
            and months.sub_ledger = lines.sub_ledger
            and months.currency = lines.currency
            and months.as_of >= lines.posted_on
    group by
        months.tenant_id, months.sub_ledger, months.currency, months.minor_digits, months.functional_currency, months.functional_digits,
        months.contract_id, months.as_of
    having sum(lines.amount) <> 0

),

gains as (

    select
        open_amounts.*,
        {{ divide_half_up(
            '(open_amounts.amount * rates.numerator * ' ~ power_of_ten('open_amounts.functional_digits') ~ ')',
            '(rates.denominator * ' ~ power_of_ten('open_amounts.minor_digits') ~ ')'
        ) }} - open_amounts.functional_amount as gain
    from open_amounts
    inner join rates
        on
            open_amounts.tenant_id = rates.tenant_id
            and open_amounts.currency = rates.currency
            and open_amounts.as_of >= rates.valid_from
            and open_amounts.as_of < rates.valid_before

),

booked as (

    select
        *,
        'revaluation' as kind,
        as_of as posted_on,
        gain as signed_gain
    from gains
    where gain <> 0
    union all
    select
        *,
        'revaluation_reversal' as kind,
        as_of + 1 as posted_on,
        -gain as signed_gain
    from gains
    where gain <> 0

),

sided as (

    select
        * exclude (gain, signed_gain, amount, functional_amount),
        unnest([
            { 'role': 'receivable', 'amount': signed_gain },
            { 'role': 'fx_gain_loss', 'amount': -signed_gain }
        ]) as side
    from booked

)

select
    tenant_id,
    kind,
    sub_ledger as owner,
    posted_on,
    strftime(posted_on, '%Y-%m') as performance_period,
    side.role as account_role,
    currency,
    sub_ledger,
    contract_id,
    cast(null as varchar) as invoice_id,
    minor_digits,
    functional_currency,
    functional_digits,
    cast(0 as hugeint) as amount,
    cast(side.amount as hugeint) as functional_amount
from sided
