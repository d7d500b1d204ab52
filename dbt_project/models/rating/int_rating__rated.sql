-- The priced rows of service that is given, of usage also as of the month ends inside a slice (`checkpoint_on`).
{{ config(materialized='view') }}

select * exclude (is_forgone)
from {{ ref('int_rating__priced') }}
where not is_forgone
