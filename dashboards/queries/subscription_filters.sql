-- In which states and on which plans subscriptions are.
select
    lifecycle,
    plan,
    count(*) as subscriptions
from marts.subscriptions
where tenant_id = $tenant
group by lifecycle, plan
