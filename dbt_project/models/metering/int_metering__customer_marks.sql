-- A mark of what a customer's events are attributed to. Where it is what it was, events that are counted stay counted.
select
    tenant_id,
    customer_id,
    {{ hash_key('count(*)', 'bit_xor(span_mark)') }} as mark
from {{ ref('int_metering__spans') }}
group by tenant_id, customer_id
