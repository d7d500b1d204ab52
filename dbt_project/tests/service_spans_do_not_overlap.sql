-- Identity 4, first half. The slices of one charge of a subscription never overlap: an instant is paid for once. Fails when a change of
-- terms leaves both the old and the new slice owing the same time.
with

slices as (

    select
        tenant_id,
        subscription_id,
        charge,
        service_start_at,
        service_end_at,
        lead(service_start_at) over (
            partition by tenant_id, subscription_id, charge order by service_start_at, service_end_at
        ) as next_start_at
    from {{ ref('int_proration__slices') }}
    where type <> 'one_time' and not is_forgone

)

select *
from slices
where next_start_at < service_end_at
