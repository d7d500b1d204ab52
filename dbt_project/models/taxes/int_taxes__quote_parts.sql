-- The parts of answers that can be billed, in minor units, coming to their total: the largest part takes what rounding left over.
with

quotes as (

    select * from {{ ref('int_taxes__quotes') }}
    where verdict = 'quoted'

),

rounded as (

    select
        answers.tenant_id,
        answers.request_hash,
        answers.item_no,
        answers.jurisdiction,
        answers.percent,
        quotes.total,
        {{ round_money('cast(answers.stated_amount as decimal(38, 22))', 'quotes.minor_digits', "'half_up'") }} as amount
    from {{ ref('int_taxes__quote_answers') }} as answers
    inner join quotes
        on
            answers.tenant_id = quotes.tenant_id
            and answers.request_hash = quotes.request_hash

),

placed as (

    select
        *,
        total - sum(amount) over (partition by tenant_id, request_hash) as missing,
        row_number() over (
            partition by tenant_id, request_hash order by abs(amount) desc, percent desc, item_no, jurisdiction
        ) as place
    from rounded

)

select
    tenant_id,
    request_hash,
    item_no,
    jurisdiction,
    percent,
    cast(amount + case when place = 1 then missing else 0 end as decimal(20, 4)) as amount
from placed
