-- Every rated row: priced charges, the true-ups of commitments and what leaving a term early costs. One row per slice, charge and
-- group of dimensions.
{{ config(materialized='view') }}

select * exclude (checkpoint_on, checked_slice_id)
from {{ ref('int_rating__rated') }}
where checkpoint_on is null
union all by name
select * from {{ ref('int_rating__commitments') }}
union all by name
select * from {{ ref('int_rating__early_terminations') }}
