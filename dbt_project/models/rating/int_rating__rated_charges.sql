-- Every rated row: priced charges and the true-ups of commitments. One row per slice, charge and group of dimensions.
select * from {{ ref('int_rating__rated') }}
union all by name
select * from {{ ref('int_rating__commitments') }}
