with

tenants as (

    select
        *,
        {{ local_date('billing_as_of', 'timezone') }} as today
    from {{ ref('stg_ratehouse__tenants') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

movements as (

    select * from {{ ref('receivable_movements') }}

),

-- The last day of every month since something was owed, and today.
days as (

    select
        firsts.tenant_id,
        firsts.currency,
        least(last_day(cast(unnest(generate_series(
            cast(date_trunc('month', firsts.moved_on) as timestamp),
            cast(tenants.today as timestamp),
            to_months(1)
        )) as date)), tenants.today) as as_of
    from (
        select
            tenant_id,
            currency,
            min(moved_on) as moved_on
        from movements
        group by tenant_id, currency
    ) as firsts
    inner join tenants on firsts.tenant_id = tenants.tenant_id
    where firsts.moved_on <= tenants.today

),

-- What was open of an invoice, from one movement to the next.
spans as (

    select
        tenant_id,
        currency,
        invoice_id,
        due_on,
        moved_on as from_day,
        coalesce(lead(moved_on) over invoice, date '9999-12-31') as to_day,
        sum(amount) over invoice as open_amount
    from (
        select
            tenant_id,
            currency,
            invoice_id,
            min(due_on) as due_on,
            moved_on,
            sum(amount) as amount
        from movements
        group by tenant_id, currency, invoice_id, moved_on
    )
    window invoice as (partition by tenant_id, invoice_id order by moved_on)

),

open_invoices as (

    select
        days.tenant_id,
        days.currency,
        days.as_of,
        greatest(datediff('day', spans.due_on, days.as_of), 0) as days_overdue,
        spans.open_amount
    from days
    inner join spans
        on
            days.tenant_id = spans.tenant_id
            and days.currency = spans.currency
            and days.as_of >= spans.from_day
            and days.as_of < spans.to_day
            and spans.open_amount > 0

),

bucketed as (

    select
        *,
        case
            when days_overdue = 0 then 'not_due'
            when days_overdue <= 30 then '1-30'
            when days_overdue <= 60 then '31-60'
            when days_overdue <= 90 then '61-90'
            else '90+'
        end as bucket
    from open_invoices

),

summed as (

    select
        tenant_id,
        currency,
        as_of,
        bucket,
        count(*) as invoices,
        sum(open_amount) as open_amount
    from bucketed
    group by tenant_id, currency, as_of, bucket

),

-- The tenant's share of each age that experience says will not be paid; none where it states none.
allowed as (

    select
        summed.*,
        tenants.rounding_mode,
        currencies.minor_digits,
        cast({{ json_text_at(json_part('tenants.document', 'receivables.allowance'), 'summed.bucket') }} as decimal(28, 12)) as allowance_percent
    from summed
    inner join tenants on summed.tenant_id = tenants.tenant_id
    inner join currencies on summed.currency = currencies.currency

)

select
    tenant_id,
    currency,
    strftime(as_of, '%Y-%m') as period,
    as_of,
    bucket,
    invoices,
    cast(open_amount as decimal(20, 4)) as open_amount,
    allowance_percent,
    cast({{ round_money('cast(open_amount * coalesce(allowance_percent, 0) * 0.01 as decimal(38, 22))', 'minor_digits', 'rounding_mode') }} as decimal(20, 4))
        as allowance
from allowed
