-- As known by known_as_of; a later row about the same payment supersedes.
select * exclude (state_no, replaced_at)
from {{ ref('stg_ratehouse__payment_states') }}
qualify row_number() over (partition by tenant_id, payment_id order by state_no desc) = 1
