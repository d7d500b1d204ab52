select * from {{ source('ledger', 'credit_draws') }}
