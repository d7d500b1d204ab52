-- The priced rows of service that is given.
select * exclude (is_forgone)
from {{ ref('int_rating__priced') }}
where not is_forgone
