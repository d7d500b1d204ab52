-- Manual adjustments met by what is left of the lines they point at: those that are approved and effective in the order of their time
-- and id, accepted or refused because they take off more than is left; the others wait and take nothing. A void points at every line of
-- its document and takes what is left of each. What is asked for is net; where prices include the tax, what it comes to with its tax
-- (priced) is compared with what was billed.
with

adjustments as (

    select
        approvals.*,
        tenants.is_tax_inclusive,
        tenants.rounding_mode,
        approvals.standing = 'approved' and approvals.effective_at <= tenants.billing_as_of as is_due
    from {{ ref('int_credits__approvals') }} as approvals
    inner join {{ ref('stg_ratehouse__tenants') }} as tenants on approvals.tenant_id = tenants.tenant_id

),

invoices as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}

),

lines as (

    -- What was charged anew is found where it was charged first.
    select * replace (coalesce(replaces_invoice_id, invoice_id) as invoice_id)
    from {{ ref('stg_ratehouse__issued_invoice_lines') }}
    where line_type <> 'tax'

),

carried_out as (

    select distinct
        tenant_id,
        adjustment_id
    from lines
    where adjustment_id is not null

),

voided as (

    select
        tenant_id,
        invoice_id
    from {{ ref('int_credits__open_amounts') }}
    where voided_at is not null

),

-- What took off a line or its discount since.
corrections as (

    select
        tenant_id,
        corrects_line_id,
        sum(case when line_type = 'discount' then greatest(amount, 0) else least(amount, 0) end) as amount,
        sum(case when line_type = 'discount' then greatest(priced_amount, 0) else least(priced_amount, 0) end) as priced_amount
    from lines
    where corrects_line_id is not null
    group by tenant_id, corrects_line_id

),

discounts as (

    select
        lines.tenant_id,
        lines.invoice_id,
        lines.subscription_id,
        lines.charge,
        lines.dimensions,
        lines.service_start,
        lines.service_end,
        sum(lines.amount + coalesce(corrections.amount, 0)) as amount,
        sum(lines.priced_amount + coalesce(corrections.priced_amount, 0)) as priced_amount
    from lines
    left join corrections
        on
            lines.tenant_id = corrections.tenant_id
            and lines.line_id = corrections.corrects_line_id
    where lines.line_type = 'discount'
    group by all

),

remaining as (

    select
        lines.*,
        cast(lines.amount + coalesce(corrections.amount, 0) + coalesce(discounts.amount, 0) as decimal(20, 4)) as left_amount,
        cast(
            lines.priced_amount + coalesce(corrections.priced_amount, 0) + coalesce(discounts.priced_amount, 0) as decimal(20, 4)
        ) as left_priced_amount
    from lines
    left join corrections
        on
            lines.tenant_id = corrections.tenant_id
            and lines.line_id = corrections.corrects_line_id
    left join discounts
        on
            lines.tenant_id = discounts.tenant_id
            and lines.invoice_id = discounts.invoice_id
            and lines.subscription_id is not distinct from discounts.subscription_id
            and lines.charge = discounts.charge
            and lines.dimensions = discounts.dimensions
            and lines.service_start = discounts.service_start
            and lines.service_end = discounts.service_end
    where lines.line_type <> 'discount'

),

pointed as (

    select
        adjustments.tenant_id,
        adjustments.adjustment_id,
        adjustments.effective_at,
        adjustments.recorded_at,
        adjustments.amount as asked_amount,
        adjustments.reason_code,
        adjustments.reason,
        adjustments.standing,
        adjustments.is_due,
        adjustments.is_tax_inclusive,
        adjustments.rounding_mode,
        remaining.line_id,
        remaining.currency,
        coalesce(remaining.tax_percent, 0) as tax_percent,
        remaining.left_amount,
        remaining.left_priced_amount
    from adjustments
    inner join invoices
        on
            adjustments.tenant_id = invoices.tenant_id
            and (adjustments.invoice_id = invoices.invoice_id or adjustments.invoice_number = invoices.invoice_number)
    inner join remaining
        on
            invoices.tenant_id = remaining.tenant_id
            and invoices.invoice_id = remaining.invoice_id
    left join voided
        on
            invoices.tenant_id = voided.tenant_id
            and invoices.invoice_id = voided.invoice_id
    where
        case
            -- A document that was voided unpaid is closed as a whole; one that was paid is credited line by line.
            when adjustments.reason_code = 'void' then voided.invoice_id is null
            else
                (adjustments.line_id is null or adjustments.line_id in (remaining.line_id, remaining.replaces_line_id))
                and (adjustments.charge is null or adjustments.charge = remaining.charge)
                and (adjustments.subscription_id is null or adjustments.subscription_id = remaining.subscription_id)
                and (adjustments.service_start is null or adjustments.service_start = remaining.service_start)
        end
        and (adjustments.tenant_id, adjustments.adjustment_id) not in (select (tenant_id, adjustment_id) from carried_out)
    -- An adjustment that points at several lines means the one of which most is left.
    qualify
        adjustments.reason_code = 'void'
        or row_number() over (
            partition by adjustments.tenant_id, adjustments.adjustment_id order by remaining.left_amount desc, remaining.line_id
        ) = 1

),

-- In whole minor units of the line's currency.
rounded as (

    select
        pointed.* replace (
            {{ round_money('cast(pointed.asked_amount as decimal(38, 22))', 'currencies.minor_digits', 'pointed.rounding_mode') }} as asked_amount
        ),
        currencies.minor_digits,
        {{ to_scaled('pointed.tax_percent', 12) }} as percent_scaled
    from pointed
    inner join {{ ref('currencies') }} as currencies on pointed.currency = currencies.currency
    where pointed.is_due

),

priced as (

    select
        *,
        case
            when is_tax_inclusive
                then {{ round_money(prorate('asked_amount', '(' ~ 100 * 10 ** 12 ~ ' + percent_scaled)', 100 * 10 ** 12), 'minor_digits', 'rounding_mode') }}
            else asked_amount
        end as asked_priced_amount
    from rounded

),

-- Each takes of what those before it left; what is refused takes nothing, and what takes the rest takes it with its tax to the cent.
listed as (

    select
        tenant_id,
        line_id,
        list(adjustment_id order by effective_at, adjustment_id) as adjustment_ids,
        list({
            'amount': cast(asked_amount as decimal(20, 4)),
            'priced': cast(asked_priced_amount as decimal(20, 4)),
            'is_void': reason_code is not distinct from 'void'
        } order by effective_at, adjustment_id) as asked,
        greatest(min(left_amount), cast(0 as decimal(20, 4))) as left_amount,
        greatest(min(left_priced_amount), cast(0 as decimal(20, 4))) as left_priced_amount
    from priced
    group by tenant_id, line_id

),

met as (

    select
        tenant_id,
        line_id,
        unnest(adjustment_ids) as adjustment_id,
        unnest(list_reduce(
            asked,
            lambda now, one: list_transform(
                [{
                    'amount': cast(case when one.is_void then -now.rest when -one.amount <= now.rest then one.amount end as decimal(20, 4)),
                    'priced': cast(case
                        when one.is_void or -one.amount = now.rest then -now.priced_rest
                        when -one.amount < now.rest then greatest(one.priced, -now.priced_rest)
                    end as decimal(20, 4))
                }],
                lambda given: {
                    'rest': cast(now.rest + coalesce(given.amount, 0) as decimal(20, 4)),
                    'priced_rest': cast(now.priced_rest + coalesce(given.priced, 0) as decimal(20, 4)),
                    'log': list_append(now.log, given)
                }
            )[1],
            {
                'rest': left_amount,
                'priced_rest': left_priced_amount,
                'log': cast([] as struct(amount decimal(20, 4), priced decimal(20, 4)) [])
            }
        ).log) as given
    from listed

)

select
    pointed.tenant_id,
    pointed.adjustment_id,
    pointed.line_id,
    pointed.effective_at,
    pointed.recorded_at,
    pointed.asked_amount,
    pointed.reason_code,
    pointed.reason,
    pointed.left_amount,
    met.given.amount,
    met.given.priced as priced_amount,
    case
        when not pointed.is_due then pointed.standing
        when met.given.amount is null then 'adjustment_too_large'
        else 'accepted'
    end as verdict
from pointed
left join met
    on
        pointed.tenant_id = met.tenant_id
        and pointed.line_id = met.line_id
        and pointed.adjustment_id = met.adjustment_id
