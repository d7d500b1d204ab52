-- Every landed event with its place among the copies of its id. Identity is (tenant, event id), for ever; the copy recorded
-- first is the event, a later one with the same content is a duplicate, one with other content a conflict.
with

events as (

    select * from {{ ref('stg_ratehouse__usage_events') }}

),

ranked as (

    select
        *,
        md5(concat_ws('|', coalesce(customer_id, ''), coalesce(subscription_id, ''), event_type, epoch_us(occurred_at), quantity, properties)) as content,
        row_number() over first_recorded as copy
    from events
    window first_recorded as (
        partition by tenant_id, event_id order by recorded_at, batch_id, occurred_at, quantity, properties
    )

)

select
    * exclude (content, copy),
    case
        when copy = 1 then 'accepted'
        when content = first_value(content) over (partition by tenant_id, event_id order by copy) then 'duplicate'
        else 'conflict'
    end as standing
from ranked
