-- Every rated row: priced charges and the true-ups of commitments. One row per slice, charge and group of dimensions.
select * exclude (checkpoint_on, checked_slice_id)
from {{ ref('int_rating__rated') }}
where checkpoint_on is null
union all by name
select * from {{ ref('int_rating__commitments') }}
