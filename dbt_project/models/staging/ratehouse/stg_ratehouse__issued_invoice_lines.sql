select * replace (coalesce(priced_amount, amount) as priced_amount) from {{ source('ledger', 'invoice_lines') }}
