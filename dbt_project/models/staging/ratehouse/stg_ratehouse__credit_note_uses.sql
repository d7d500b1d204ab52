select * from {{ source('ledger', 'credit_note_uses') }}
