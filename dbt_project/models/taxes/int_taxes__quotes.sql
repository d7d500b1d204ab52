-- Whether a provider's answer can be billed: its parts come to its total. A provider rounds the parts by themselves, so they may miss the
-- total by a minor unit each; the largest then takes what is missing (int_taxes__quote_parts). More than that is no answer.
with

quotes as (

    select
        *,
        case provider
            when 'avalara' then {{ json_text('response', 'totalTax') }}
            when 'taxjar' then {{ json_text('response', 'tax.amount_to_collect') }}
        end as stated_total
    from {{ ref('stg_ratehouse__tax_quotes') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

parts as (

    select
        tenant_id,
        request_hash,
        sum(stated_amount) as amount,
        count(*) as parts,
        bool_or(is_unreadable) as is_unreadable
    from {{ ref('int_taxes__quote_answers') }}
    group by tenant_id, request_hash

),

added as (

    select
        quotes.tenant_id,
        quotes.request_hash,
        quotes.status,
        quotes.detail,
        coalesce(currencies.minor_digits, tenants.minor_digits) as minor_digits,
        try_cast(quotes.stated_total as decimal(20, 4)) as total,
        coalesce(parts.amount, 0) as parts_amount,
        coalesce(parts.parts, 0) as parts,
        coalesce(parts.is_unreadable, false) as is_unreadable
    from quotes
    inner join tenants on quotes.tenant_id = tenants.tenant_id
    left join currencies on {{ json_text('quotes.request', 'currency') }} = currencies.currency
    left join parts
        on
            quotes.tenant_id = parts.tenant_id
            and quotes.request_hash = parts.request_hash

)

select
    tenant_id,
    request_hash,
    minor_digits,
    total,
    cast(total - parts_amount as decimal(38, 12)) as missing_amount,
    case
        when status = 'refused' then 'refused'
        when
            total is null or is_unreadable
            or abs(total - parts_amount) * {{ power_of_ten('minor_digits') }} > parts
            or total <> {{ round_money('cast(total as decimal(38, 22))', 'minor_digits', "'half_up'") }}
            then 'mismatched'
        else 'quoted'
    end as verdict,
    case when status = 'refused' then detail end as detail
from added
