-- Customers who are followed up otherwise than the rest: each in the first segment of the tenant's list that takes it, by its identity, its
-- country or what its metadata say. What a segment does not name it does not ask for.
with

segments as (

    select
        tenant_id,
        unnest({{ json_elements(json_part('document', 'dunning.segments')) }}) as document,
        generate_subscripts({{ json_elements(json_part('document', 'dunning.segments')) }}, 1) as segment_no
    from {{ ref('stg_ratehouse__tenants') }}

),

-- What a customer's metadata must say, all of it.
asked as (

    select
        segments.tenant_id,
        segments.segment_no,
        unnest({{ json_entries(json_part('segments.document', 'metadata')) }}) as entry
    from segments

)

select
    customers.tenant_id,
    customers.customer_id,
    arg_min({{ json_text('segments.document', 'segment') }}, segments.segment_no) as segment
from segments
inner join {{ ref('int_subscriptions__customers') }} as customers on segments.tenant_id = customers.tenant_id
where
    list_contains(coalesce({{ json_texts(json_part('segments.document', 'customers')) }}, [customers.customer_id]), customers.customer_id)
    and (
        {{ json_part('segments.document', 'countries') }} is null
        or coalesce(list_contains({{ json_texts(json_part('segments.document', 'countries')) }}, customers.country), false)
    )
    and (segments.tenant_id, segments.segment_no, customers.customer_id) not in (
        select (asked.tenant_id, asked.segment_no, others.customer_id)
        from asked
        inner join {{ ref('int_subscriptions__customers') }} as others on asked.tenant_id = others.tenant_id
        where {{ json_text_at('others.metadata', 'asked.entry.key') }} is distinct from {{ json_text('asked.entry.value') }}
    )
group by customers.tenant_id, customers.customer_id
