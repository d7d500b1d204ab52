-- Journal lines in the tenant's own currency (ASC 830, IFRIC 22). What a balance takes up is translated at the rate of its day; what
-- leaves it, first in first out and rounded cumulatively, at the rates it came in with. Money moves at the rate of its own
-- day. The accounts of the result take what balances the entry: revenue what is released, fx_gain_loss the rest.
with

lines as (

    select * from {{ ref('int_accounting__lines') }}

),

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

rates as (

    select * from {{ ref('int_accounting__rates') }}

),

rated as (

    select
        lines.*,
        tenants.currency as functional_currency,
        tenants.minor_digits as functional_digits,
        rates.numerator * {{ power_of_ten('tenants.minor_digits') }} as numerator,
        rates.denominator * {{ power_of_ten('lines.minor_digits') }} as denominator,
        -- Balances that remember the rates of what they hold, and which sign adds to them.
        case lines.account_role
            when 'receivable' then 1
            when 'withholding_receivable' then 1
            when 'contract_asset' then 1
            when 'deferred_revenue' then -1
            when 'refund_liability' then -1
            when 'contract_cost' then 1
            when 'unapplied_cash' then -1
            else 0
        end as side,
        case when lines.account_role in ('receivable', 'withholding_receivable', 'unapplied_cash') then lines.sub_ledger else lines.contract_id end as holder
    from lines
    inner join tenants on lines.tenant_id = tenants.tenant_id
    left join rates
        on
            lines.tenant_id = rates.tenant_id
            and lines.currency = rates.currency
            and lines.posted_on >= rates.valid_from
            and lines.posted_on < rates.valid_before

),

layers as (

    select
        *,
        {{ divide_half_up('(amount * numerator)', 'denominator') }} as own_value,
        sum(case when side * amount > 0 then abs(amount) else 0 end) over holding as taken_up,
        sum(case when side * amount < 0 then abs(amount) else 0 end) over holding as let_go
    from rated
    window holding as (
        partition by tenant_id, account_role, currency, holder, side
        order by posted_on, case kind when 'recognition' then 2 else 1 end, kind, performance_period, owner
    )

),

-- The value of the first so many units that a balance took up, at both ends of every part that leaves it.
ends as (

    select
        tenant_id,
        kind,
        owner,
        posted_on,
        performance_period,
        account_role,
        currency,
        sub_ledger,
        contract_id,
        holder,
        unnest([let_go + side * amount, let_go]) as units
    from layers
    where side * amount < 0 and currency <> functional_currency

),

valued as (

    select
        ends.tenant_id,
        ends.kind,
        ends.owner,
        ends.posted_on,
        ends.performance_period,
        ends.account_role,
        ends.currency,
        ends.sub_ledger,
        ends.contract_id,
        ends.units,
        least(ends.units, coalesce(max(layers.taken_up), 0)) as covered,
        coalesce(sum(case
            when layers.taken_up <= ends.units then abs(layers.own_value)
            else {{ divide_half_up('((ends.units - (layers.taken_up - abs(layers.amount))) * layers.numerator)', 'layers.denominator') }}
        end), 0) as value
    from ends
    left join layers
        on
            ends.tenant_id = layers.tenant_id
            and ends.account_role = layers.account_role
            and ends.currency = layers.currency
            and ends.holder = layers.holder
            and layers.side * layers.amount > 0
            and ends.units > layers.taken_up - abs(layers.amount)
    group by
        ends.tenant_id, ends.kind, ends.owner, ends.posted_on, ends.performance_period, ends.account_role, ends.currency,
        ends.sub_ledger, ends.contract_id, ends.units

),

released as (

    select
        tenant_id,
        kind,
        owner,
        posted_on,
        performance_period,
        account_role,
        currency,
        sub_ledger,
        contract_id,
        max(covered) - min(covered) as covered,
        max(value) - min(value) as value
    from valued
    group by all

),

translated as (

    select
        layers.*,
        case
            when layers.currency = layers.functional_currency then layers.amount
            when layers.account_role in ('revenue', 'breakage_revenue', 'contra_revenue') then null
            when layers.side * layers.amount >= 0 then layers.own_value
            -- What was never taken up has no other rate than that of its day.
            else -1 * layers.side * (
                released.value
                + {{ divide_half_up('((abs(layers.amount) - released.covered) * layers.numerator)', 'layers.denominator') }}
            )
        end as balance_value
    from layers
    left join released
        on
            layers.tenant_id = released.tenant_id
            and layers.kind = released.kind
            and layers.owner = released.owner
            and layers.posted_on = released.posted_on
            and layers.performance_period = released.performance_period
            and layers.account_role = released.account_role
            and layers.currency = released.currency
            and layers.sub_ledger = released.sub_ledger
            and layers.contract_id is not distinct from released.contract_id

),

-- Revenue is what its entry releases or takes up, so no exchange difference is ever in it.
earned as (

    select
        *,
        case
            when balance_value is not null then balance_value
            when kind = 'recognition' and account_role = 'breakage_revenue' and bool_or(account_role = 'revenue') over entry
                then {{ divide_half_up('(-1 * sum(balance_value) over entry * abs(amount) * sign(amount) * sign(sum(amount) filter (where balance_value is null) over entry))', 'greatest(abs(sum(amount) filter (where balance_value is null) over entry), 1)') }}
        end as known_value
    from translated
    window entry as (partition by tenant_id, kind, owner, posted_on, performance_period)

),

recognised as (

    select
        * exclude (known_value),
        case
            when known_value is not null then known_value
            when kind = 'recognition' then -1 * sum(known_value) over entry
        end as known_value
    from earned
    window entry as (partition by tenant_id, kind, owner, posted_on, performance_period)

),

-- What is taken back has the average rate of the revenue that the books had.
averaged as (

    select
        *,
        coalesce(-1 * sum(case when account_role in ('revenue', 'breakage_revenue') then known_value end) over booked, 0) as revenue_value,
        coalesce(-1 * sum(case when account_role in ('revenue', 'breakage_revenue') then amount end) over booked, 0) as revenue_amount
    from recognised
    window booked as (
        partition by tenant_id, contract_id
        order by posted_on range between unbounded preceding and interval 1 day preceding
    )

),

complete as (

    select
        tenant_id,
        kind,
        owner,
        posted_on,
        performance_period,
        account_role,
        currency,
        sub_ledger,
        contract_id,
        invoice_id,
        minor_digits,
        functional_currency,
        functional_digits,
        amount,
        cast(case
            when known_value is not null then known_value
            when revenue_amount > 0 then {{ divide_half_up('(amount * revenue_value)', 'revenue_amount') }}
            else own_value
        end as hugeint) as functional_amount
    from averaged

)

select * from complete
union all by name
-- The difference between the rates of an entry.
select
    tenant_id,
    kind,
    owner,
    posted_on,
    performance_period,
    'fx_gain_loss' as account_role,
    min(currency) as currency,
    owner as sub_ledger,
    case when count(distinct contract_id) = 1 then min(contract_id) end as contract_id,
    case when count(distinct invoice_id) = 1 then min(invoice_id) end as invoice_id,
    min(minor_digits) as minor_digits,
    min(functional_currency) as functional_currency,
    min(functional_digits) as functional_digits,
    cast(0 as hugeint) as amount,
    cast(-1 * sum(functional_amount) as hugeint) as functional_amount
from complete
group by tenant_id, kind, owner, posted_on, performance_period
having sum(functional_amount) <> 0 and count(functional_amount) = count(*)
