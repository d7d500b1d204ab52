-- How the question about a due document stands. Until it is `quoted`, the document waits: it never goes out with a wrong tax or with none.
with

requests as (

    select * from {{ ref('int_taxes__quote_requests') }}

),

quotes as (

    select * from {{ ref('int_taxes__quotes') }}

),

-- An answer about what was not asked is no answer.
strange as (

    select distinct
        requests.tenant_id,
        requests.document_key,
        requests.customer_id
    from requests
    inner join {{ ref('int_taxes__quote_parts') }} as parts
        on
            requests.tenant_id = parts.tenant_id
            and requests.request_hash = parts.request_hash
    left join {{ ref('int_taxes__quote_items') }} as items
        on
            requests.tenant_id = items.tenant_id
            and requests.document_key = items.document_key
            and requests.customer_id = items.customer_id
            and parts.item_no = items.line_no
    where items.line_no is null or items.item_no <> items.line_no

)

select
    requests.* exclude (problem),
    case when quotes.verdict = 'quoted' and strange.document_key is null then quotes.total end as tax,
    case
        when requests.problem is not null then 'incomplete'
        when strange.document_key is not null then 'mismatched'
        else coalesce(quotes.verdict, 'waiting')
    end as status,
    case
        when requests.problem is not null then requests.problem
        when strange.document_key is not null then 'quote_does_not_add_up: the answer is about other lines'
        when quotes.verdict is null then 'quote_missing: ' || requests.provider || ' has not been asked, or did not answer'
        when quotes.verdict = 'refused' then 'quote_refused: ' || coalesce(quotes.detail, requests.provider)
        when quotes.verdict = 'mismatched' then 'quote_does_not_add_up: the parts do not come to the total'
    end as reason
from requests
left join quotes
    on
        requests.tenant_id = quotes.tenant_id
        and requests.request_hash = quotes.request_hash
left join strange
    on
        requests.tenant_id = strange.tenant_id
        and requests.document_key = strange.document_key
        and requests.customer_id = strange.customer_id
