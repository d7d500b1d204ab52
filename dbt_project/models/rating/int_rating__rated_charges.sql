-- Every rated row: priced charges, the true-ups of commitments and what leaving a term early costs. One row per slice, charge and
-- group of dimensions.
select * from {{ ref('int_rating__rated') }}
union all by name
select * from {{ ref('int_rating__commitments') }}
union all by name
select * from {{ ref('int_rating__early_terminations') }}
