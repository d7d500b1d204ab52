-- As known by known_as_of; a later row about the same payment supersedes.
select * exclude (state_no, replaced_at)
from {{ ref('stg_ratehouse__payment_states') }}
where replaced_at is null
