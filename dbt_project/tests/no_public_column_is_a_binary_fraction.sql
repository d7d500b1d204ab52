-- Identity 12. No column of a mart has a floating-point type: a sum of such numbers depends on the order of its rows. Fails when a division
-- or an average slipped past the macros.
-- depends_on: {{ ref('invoices') }}
select
    table_name,
    column_name,
    data_type
from information_schema.columns
where
    table_schema = 'marts'
    and data_type in ('DOUBLE', 'FLOAT', 'REAL')
