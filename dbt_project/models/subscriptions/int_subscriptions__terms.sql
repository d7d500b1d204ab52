-- The spans of a subscription that are billed, with the terms they are billed by.
select *
from {{ ref('int_subscriptions__timeline') }}
where billing in ('on', 'bill_and_hold')
