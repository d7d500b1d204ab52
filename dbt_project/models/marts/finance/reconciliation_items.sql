select * from {{ ref('int_reconciliation__usage') }}
