-- How much of an invoice may stay unpaid once something was paid on it: what its tenant gives up by itself, and what customers of that
-- country keep as a tax of theirs. Invoices of tenants that state neither are not here.
with

tenants as (

    select
        tenant_id,
        timezone,
        rounding_mode,
        {{ json_part('document', 'receivables.short_payment.tolerance') }} as tolerance,
        {{ json_part('document', 'receivables.withholding') }} as withholding,
        coalesce(cast({{ json_text('document', 'receivables.short_payment.since') }} as date), date '0001-01-01') as given_up_since
    from {{ ref('stg_ratehouse__tenants') }}
    where
        coalesce(cast({{ json_part('document', 'receivables.short_payment.tolerance') }} as varchar), '{}') <> '{}'
        or coalesce(cast({{ json_part('document', 'receivables.withholding') }} as varchar), '{}') <> '{}'

),

limits as (

    select
        invoices.tenant_id,
        invoices.invoice_id,
        invoices.invoice_number,
        invoices.currency,
        invoices.amount_due,
        invoices.total,
        invoices.total - invoices.tax as net_amount,
        tenants.timezone,
        tenants.rounding_mode,
        tenants.given_up_since,
        currencies.minor_digits,
        cast({{ json_text_at('tenants.tolerance', "invoices.currency || '.amount'") }} as decimal(20, 4)) as most_amount,
        cast({{ json_text_at('tenants.tolerance', "invoices.currency || '.percent'") }} as decimal(28, 12)) as most_percent,
        cast({{ json_text_at('tenants.withholding', 'customers.country') }} as decimal(28, 12)) as withheld_percent
    from {{ ref('stg_ratehouse__issued_invoices') }} as invoices
    inner join tenants on invoices.tenant_id = tenants.tenant_id
    inner join {{ ref('currencies') }} as currencies on invoices.currency = currencies.currency
    left join {{ ref('int_subscriptions__customers') }} as customers
        on
            invoices.tenant_id = customers.tenant_id
            and invoices.customer_id = customers.customer_id
    where invoices.kind = 'invoice' and invoices.amount_due > 0

),

amounts as (

    select
        *,
        least(
            most_amount,
            {{ round_money('cast(total * most_percent * 0.01 as decimal(38, 22))', 'minor_digits', 'rounding_mode') }}
        ) as most_given_up,
        cast(coalesce(
            {{ round_money('cast(net_amount * withheld_percent * 0.01 as decimal(38, 22))', 'minor_digits', 'rounding_mode') }}, 0
        ) as decimal(20, 4)) as withholding_amount
    from limits

)

select
    tenant_id,
    invoice_id,
    invoice_number,
    currency,
    amount_due,
    timezone,
    given_up_since,
    -- An invoice that is within the tolerance as a whole is owed as a whole.
    cast(case when most_given_up < amount_due then most_given_up else 0 end as decimal(20, 4)) as tolerance_amount,
    withholding_amount
from amounts
where most_given_up > 0 or withholding_amount > 0
