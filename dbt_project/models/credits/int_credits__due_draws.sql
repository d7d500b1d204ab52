-- What the next run's invoices draw from the grants alive on their bill date: lowest priority number first, then earliest expiry,
-- then grant id; each covers only the lines it applies to, with their tax, and never more than the document.
with

documents as (

    select * from {{ ref('int_invoicing__due_totals') }}
    where kind = 'invoice' and total > 0 and not is_draft and blocked_by is null

),

pools as (

    select * from {{ ref('int_credits__pools') }}

),

balances as (

    select * from {{ ref('int_credits__balances') }}
    where remaining > 0

),

books as (

    select * from {{ ref('stg_ratehouse__price_books') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

-- A grant in a pricing unit pays at the unit's rate of the latest version that has one.
rates as (

    select
        documents.tenant_id,
        documents.document_key,
        balances.grant_id,
        cast(json_extract_string(books.document, '$.units."' || balances.unit || '"."' || documents.currency || '"') as decimal(28, 12)) as rate
    from documents
    inner join balances
        on
            documents.tenant_id = balances.tenant_id
            and balances.unit is not null
    inner join books
        on
            documents.tenant_id = books.tenant_id
            and books.effective_from <= documents.bill_date
    where json_extract_string(books.document, '$.units."' || balances.unit || '"."' || documents.currency || '"') is not null
    qualify row_number() over (
        partition by documents.tenant_id, documents.document_key, balances.grant_id order by books.effective_from desc, books.price_book desc
    ) = 1

),

candidates as (

    select
        documents.tenant_id,
        documents.bill_to_customer_id,
        documents.document_key,
        documents.currency,
        documents.bill_date,
        documents.total,
        pools.customer_id as pool_customer_id,
        pools.charge,
        pools.amount as pool_amount,
        balances.grant_id,
        balances.customer_id,
        balances.unit,
        balances.priority,
        balances.expires_on,
        balances.remaining,
        rates.rate,
        case
            when balances.unit is null then cast(balances.remaining as decimal(20, 4))
            else {{ round_money('cast(balances.remaining * rates.rate as decimal(38, 22))', 'currencies.minor_digits', "'down'") }}
        end as grant_amount
    from documents
    inner join currencies on documents.currency = currencies.currency
    inner join pools
        on
            documents.tenant_id = pools.tenant_id
            and documents.document_key = pools.document_key
    inner join balances
        on
            documents.tenant_id = balances.tenant_id
            and balances.customer_id in (pools.customer_id, documents.bill_to_customer_id)
            and documents.bill_date >= balances.effective_on
            and documents.bill_date < coalesce(balances.ends_on, date '9999-12-31')
            and (balances.applies_to is null or list_contains(balances.applies_to, pools.charge))
    left join rates
        on
            documents.tenant_id = rates.tenant_id
            and documents.document_key = rates.document_key
            and balances.grant_id = rates.grant_id
    where balances.currency = documents.currency or rates.rate is not null

),

placed as (

    select
        *,
        dense_rank() over (partition by tenant_id, bill_to_customer_id order by currency, document_key) as document_place,
        dense_rank() over (partition by tenant_id, bill_to_customer_id order by currency, document_key, pool_customer_id, charge) as pool_place,
        dense_rank() over (partition by tenant_id, bill_to_customer_id order by priority, expires_on nulls last, grant_id) as grant_place
    from candidates

),

limits as (

    select
        attempts.tenant_id,
        attempts.bill_to_customer_id,
        attempts.attempts,
        documents.documents,
        pools.pools,
        grants.grants
    from (
        select
            tenant_id,
            bill_to_customer_id,
            list({ 'documents': document_place, 'pools': pool_place, 'grants': grant_place } order by document_place, grant_place, pool_place) as attempts
        from placed
        group by tenant_id, bill_to_customer_id
    ) as attempts
    inner join (
        select tenant_id, bill_to_customer_id, list(total order by document_place) as documents
        from (select distinct tenant_id, bill_to_customer_id, document_place, total from placed)
        group by tenant_id, bill_to_customer_id
    ) as documents
        on attempts.tenant_id = documents.tenant_id and attempts.bill_to_customer_id = documents.bill_to_customer_id
    inner join (
        select tenant_id, bill_to_customer_id, list(pool_amount order by pool_place) as pools
        from (select distinct tenant_id, bill_to_customer_id, pool_place, pool_amount from placed)
        group by tenant_id, bill_to_customer_id
    ) as pools
        on attempts.tenant_id = pools.tenant_id and attempts.bill_to_customer_id = pools.bill_to_customer_id
    inner join (
        select tenant_id, bill_to_customer_id, list(grant_amount order by grant_place) as grants
        from (select tenant_id, bill_to_customer_id, grant_place, min(grant_amount) as grant_amount from placed group by all)
        group by tenant_id, bill_to_customer_id
    ) as grants
        on attempts.tenant_id = grants.tenant_id and attempts.bill_to_customer_id = grants.bill_to_customer_id

),

taken as (

    select
        tenant_id,
        bill_to_customer_id,
        unnest(attempts) as attempt,
        unnest({{ take_in_order('attempts', ['documents', 'pools', 'grants']) }}) as amount
    from limits

),

drawn as (

    select
        placed.tenant_id,
        placed.document_key,
        placed.grant_id,
        placed.customer_id,
        placed.currency,
        placed.unit,
        placed.rate,
        placed.remaining,
        placed.grant_amount,
        placed.bill_date as drawn_on,
        cast(sum(taken.amount) as decimal(20, 4)) as amount
    from taken
    inner join placed
        on
            taken.tenant_id = placed.tenant_id
            and taken.bill_to_customer_id = placed.bill_to_customer_id
            and taken.attempt.documents = placed.document_place
            and taken.attempt.pools = placed.pool_place
            and taken.attempt.grants = placed.grant_place
    group by all

)

select
    tenant_id,
    document_key,
    grant_id,
    customer_id,
    currency,
    unit,
    amount,
    -- In the grant's own measure.
    cast(case
        when unit is null then amount
        when amount = grant_amount then remaining
        else {{ from_scaled(divide_half_up('(' ~ to_scaled('amount', 4) ~ ' * ' ~ 10 ** 18 ~ ')', to_scaled('rate', 12)), 10) }}
    end as decimal(28, 10)) as measure,
    drawn_on
from drawn
where amount > 0
